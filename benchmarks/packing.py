"""Packs many JPEGs, and compares it with decoding them: speed, peak memory, and a killed run.

    python benchmarks/packing.py --images 200000

Makes the images in a temporary folder (or in --folder, where they are kept), then

- decodes all of them in one process for each core, and throws the pixels away;
- runs `memtail pack`, and measures its time and the peak memory of all its processes;
- runs it again into another folder, kills it with SIGKILL, finishes it, and compares the digests.

The images are noise smoothed to look like photos to a JPEG encoder: about 4 kB each at 96 pixels.
On a machine that does other work too, compare the seconds of CPU.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
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
@click.option("--folder", type=Path, help="Work here and keep everything.")
@click.option("--kill-at", default=0.4, show_default=True, help="Kill at this share of the time.")
def main(images: int, side: int, folder: Path | None, kill_at: float) -> None:
    """Print one JSON object a line."""
    with tempfile.TemporaryDirectory() as temporary:
        work = folder or Path(temporary)
        photos = work / "photos"
        cores = psutil.cpu_count() or 1
        _make(photos, images, side, cores)
        files = sorted(map(str, photos.rglob("*.jpg")))
        start, worked = time.perf_counter(), _worked()
        with ProcessPoolExecutor(cores) as pool:
            parts = [files[i : i + _AT_ONCE] for i in range(0, len(files), _AT_ONCE)]
            for _ in pool.map(_decode, parts, [side] * len(parts)):
                pass
        decoding, work_of_decoding = time.perf_counter() - start, _worked() - worked
        _say(
            step="decode",
            images=images,
            seconds=decoding,
            cpu_seconds=work_of_decoding,
            images_per_second=images / decoding,
        )
        for name in ("whole", "killed"):
            shutil.rmtree(work / f"{name}.memtail", ignore_errors=True)
        whole = _packed(photos, work / "whole.memtail", side)
        packing = whole["seconds"]
        _say(
            step="pack",
            **whole,
            of_decoding=decoding / packing,
            of_decoding_by_cpu=work_of_decoding / whole["cpu_seconds"],
        )
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


def _make(photos: Path, images: int, side: int, cores: int) -> None:
    """Make the images that are not there yet."""
    tasks = [range(i, min(images, i + _AT_ONCE)) for i in range(0, images, _AT_ONCE)]
    for name in range(_CLASSES):
        (photos / f"class{name}").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(cores) as pool:
        for _ in pool.map(_make_some, tasks, [photos] * len(tasks), [side] * len(tasks)):
            pass


def _make_some(numbers: range, photos: Path, side: int) -> None:
    rng = np.random.default_rng(numbers.start)
    noise = rng.integers(-12, 13, (2 * side, 2 * side, 3)).astype(np.uint8)  # modulo 256
    for number in numbers:
        file = photos / f"class{number % _CLASSES}" / f"{number:07}.jpg"
        if file.exists():
            continue
        coarse = rng.integers(16, 240, (8, 8, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BILINEAR)
        top, left = rng.integers(side, size=2)
        noisy = np.asarray(smooth) + noise[top : top + side, left : left + side]
        Image.fromarray(noisy).save(file, "JPEG", quality=85)


def _decode(files: list[str], side: int) -> None:
    for file in files:
        decode(file, side)


def _say(**what: Any) -> None:
    click.echo(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in what.items()}))


if __name__ == "__main__":
    main()
