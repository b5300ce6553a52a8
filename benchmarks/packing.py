"""Packs many JPEGs, and compares it with decoding them: speed, peak memory, and a killed run.

    python benchmarks/packing.py --images 200000

Makes the images in a temporary folder (or in --folder, where they are kept), then

- decodes all of them in one process for each core, and throws the pixels away, with Pillow alone
  and as memtail does;
- runs `memtail pack`, and measures its time and the peak memory of all its processes;
- runs it again into another folder, kills it with SIGKILL, finishes it, and compares the digests.

With --cifar10, a npz file with CIFAR-10's training set (its pixels as "x_train", or its JPEGs as
"jpeg", their bytes, and "offset"), the images are these, cut to 28 of their 32 pixels at several
places and enlarged; without, noise smoothed to look like photos to a JPEG encoder, about 4 kB each
at 96 pixels.
On a machine that does other work too, compare the seconds of CPU.
"""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from memtail_core.data.image_files.decoding import decode

_CLASSES = 10
_AT_ONCE = 500


@click.command()
@click.option("--images", default=200_000, show_default=True, help="JPEGs to make.")
@click.option("--side", default=96, show_default=True, help="Pixels of a side.")
@click.option("--cifar10", type=Path, help="Make them of the images in this npz file.")
@click.option("--folder", type=Path, help="Work here and keep everything.")
@click.option("--kill-at", default=0.4, show_default=True, help="Kill at this share of the time.")
def main(images: int, side: int, cifar10: Path | None, folder: Path | None, kill_at: float) -> None:
    """Print one JSON object a line."""
    with tempfile.TemporaryDirectory() as temporary:
        work = folder or Path(temporary)
        photos = work / "photos"
        cores = psutil.cpu_count() or 1
        _make(photos, images, side, cores, cifar10)
        files = sorted(map(str, photos.rglob("*.jpg")))
        alone = {each: _decoded(files, side, cores, each) for each in ("pillow", "decode")}
        for name in ("whole", "killed"):
            shutil.rmtree(work / f"{name}.memtail", ignore_errors=True)
        whole = _packed(photos, work / "whole.memtail", side)
        packing = whole["seconds"]
        shares = {
            f"of_{name}": {key: each[key] / whole[key] for key in ("seconds", "cpu_seconds")}
            for name, each in alone.items()
        }
        _say(step="pack", **whole, **shares)
        _say(step="killed", **_packed(photos, work / "killed.memtail", side, packing * kill_at))
        finished = _packed(photos, work / "killed.memtail", side)
        _say(step="finished", **finished, same_digest=finished["digest"] == whole["digest"])


def _packed(
    photos: Path, output: Path, side: int, kill_after: float | None = None
) -> dict[str, Any]:
    """Run `memtail pack`; measure it, or kill it after so many seconds."""
    command = [sys.executable, "-m", "cli.main", "pack", f"folder:{photos}", "--size", str(side)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    start, worked, peak = time.perf_counter(), _worked(), 0
    with subprocess.Popen(
        [*command, "-o", str(output), "--json"], stdout=subprocess.PIPE, env=environment
    ) as process:
        this = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                every = [this, *this.children(recursive=True)]
                peak = max(peak, sum(each.memory_full_info().uss for each in every))
            if kill_after is not None and time.perf_counter() - start > kill_after:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.25)
        seconds = time.perf_counter() - start
        out = process.stdout.read() if process.stdout else b""
    parts = [each for each in (output / "parts").glob("*") if not each.name.startswith(".")]
    measured = {
        "seconds": seconds,
        "cpu_seconds": _worked() - worked,
        "peak_bytes": peak,
        "parts_there": len(parts),
    }
    if kill_after is not None:
        time.sleep(3)  # its processes notice that it is gone
        return measured
    told = json.loads(out)
    rate = told["train"] / seconds
    return {**measured, "images_per_second": rate, "bytes": told["bytes"], "digest": told["digest"]}


def _worked() -> float:
    """Seconds of CPU of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _make(photos: Path, images: int, side: int, cores: int, cifar10: Path | None) -> None:
    """Make the images that are not there yet."""
    tasks = [range(i, min(images, i + _AT_ONCE)) for i in range(0, images, _AT_ONCE)]
    for name in range(_CLASSES):
        (photos / f"class{name}").mkdir(parents=True, exist_ok=True)
    made = partial(_make_some, photos=photos, side=side, cifar10=cifar10)
    with ProcessPoolExecutor(cores) as pool:
        for _ in pool.map(made, tasks):
            pass


def _make_some(numbers: range, photos: Path, side: int, cifar10: Path | None) -> None:
    rng = np.random.default_rng(numbers.start)
    made = _noise(rng, numbers, side) if cifar10 is None else _photos(rng, numbers, side, cifar10)
    for number, image in zip(numbers, made, strict=True):
        file = photos / f"class{number % _CLASSES}" / f"{number:07}.jpg"
        if not file.exists():
            image.save(file, "JPEG", quality=85)


def _noise(rng: np.random.Generator, numbers: range, side: int) -> Iterator[Image.Image]:
    noise = rng.integers(-12, 13, (2 * side, 2 * side, 3)).astype(np.uint8)  # modulo 256
    for _ in numbers:
        coarse = rng.integers(16, 240, (8, 8, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BILINEAR)
        top, left = rng.integers(side, size=2)
        yield Image.fromarray(np.asarray(smooth) + noise[top : top + side, left : left + side])


def _photos(
    rng: np.random.Generator, numbers: range, side: int, cifar10: Path
) -> Iterator[Image.Image]:
    """Each image of CIFAR-10 in turn, and all again, from another place."""
    count, small = _small(cifar10)
    for number in numbers:
        left, top = rng.integers(5, size=2).tolist()
        box = left, top, left + 28, top + 28
        yield small(number % count).resize((side, side), Image.Resampling.BICUBIC, box)


@cache
def _small(file: Path) -> tuple[int, Callable[[int], Image.Image]]:
    """How many images the file holds, and what returns one of them."""
    with np.load(file) as arrays:
        if "x_train" in arrays:
            pixels = arrays["x_train"]
            return len(pixels), lambda i: Image.fromarray(pixels[i])
        stream, offset = arrays["jpeg"].tobytes(), arrays["offset"].tolist()

    def opened(i: int) -> Image.Image:
        return Image.open(io.BytesIO(stream[offset[i] : offset[i + 1]])).convert("RGB")

    return len(offset) - 1, opened


def _decoded(files: list[str], side: int, cores: int, name: str) -> dict[str, float]:
    """Decode all files in one process for each core; say how long it took."""
    start, worked = time.perf_counter(), _worked()
    decoder = {"pillow": _decode_by_pillow, "decode": _decode}[name]
    with ProcessPoolExecutor(cores) as pool:
        parts = [files[i : i + _AT_ONCE] for i in range(0, len(files), _AT_ONCE)]
        for _ in pool.map(decoder, parts, [side] * len(parts)):
            pass
    seconds = time.perf_counter() - start
    taken = {"seconds": seconds, "cpu_seconds": _worked() - worked}
    _say(step=name, images=len(files), **taken, images_per_second=len(files) / seconds)
    return taken


def _decode(files: list[str], side: int) -> None:
    for file in files:
        decode(file, side)


def _decode_by_pillow(files: list[str], side: int) -> None:
    for file in files:
        with Image.open(file) as image:
            np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def _say(**what: Any) -> None:
    click.echo(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in what.items()}))


if __name__ == "__main__":
    main()
