"""Trains from mapped records with little memory, and from memory, side by side: images per second.

    python benchmarks/feeding.py --gb 5 --limit-gb 1.5

Makes records of noise in a temporary folder. Two processes train the same small network on random
batches of them: one has all records in memory, the other maps them, with its own memory limited
(RLIMIT_DATA) and, before each turn, none of its files in the page cache, so that each record comes
from the disk. They take turns of a few seconds, so that other work on the machine slows both alike.

Then two processes map the records at once, read all of them, and say what they hold of them in
memory (PSS counts a page that k processes map as 1/k page each).
"""

import json
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

_CLASSES = 10


@click.command()
@click.option("--gb", default=5.0, show_default=True, help="Size of the records.")
@click.option("--limit-gb", default=1.5, show_default=True, help="Memory of the one that maps.")
@click.option("--side", default=96, show_default=True, help="Pixels of a side.")
@click.option("--turns", default=8, show_default=True, help="Turns of each process.")
@click.option("--steps", default=60, show_default=True, help="Batches of 64 in a turn.")
@click.option("--warm", is_flag=True, help="Leave the files in the page cache.")
@click.option("--folder", type=Path, help="Keep the records here.")
@click.option("--child", hidden=True, help="Be one of the processes.")
def main(
    gb: float,
    limit_gb: float,
    side: int,
    turns: int,
    steps: int,
    warm: bool,
    folder: Path | None,
    child: str | None,
) -> None:
    """Print one JSON object a line."""
    if child is not None:
        assert folder is not None
        _be(child, folder, int(limit_gb * 1e9), steps, warm)
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = folder or Path(temporary)
        n = int(gb * 1e9 / (side * side * 3))
        if not (work / "index.json").exists():
            _make(work, n, side)
        limits = ["--folder", str(work), "--limit-gb", str(limit_gb), "--steps", str(steps)]
        limits += ["--warm"] if warm else []
        seconds: dict[str, list[float]] = {"memory": [], "mapped": []}
        peaks: dict[str, int] = {}
        processes = {name: _started(name, limits) for name in seconds}
        for _ in range(turns):
            for name, process in processes.items():
                answer = _asked(process)
                seconds[name].append(answer["seconds"])
                peaks[name] = answer["anonymous_bytes"]
        for process in processes.values():
            process.communicate("")
        rates = {name: steps * 64 / median(times[1:]) for name, times in seconds.items()}
        ratios = [m / p for m, p in zip(seconds["memory"], seconds["mapped"], strict=True)]
        _say(
            records_bytes=n * side * side * 3,
            limit_bytes=int(limit_gb * 1e9),
            is_cold=not warm,
            images_per_second=rates,
            of_memory=median(ratios[1:]),
            anonymous_bytes=peaks,
        )
        readers = [_started("reader", limits) for _ in range(2)]
        for process in readers:
            _asked(process)
        both = [_asked(process) for process in readers]
        for process in readers:
            process.communicate("")
        _say(
            processes=2,
            mapped_bytes=[each["mapped_bytes"] for each in both],
            pss_bytes=[each["pss_bytes"] for each in both],
            copies=sum(each["pss_bytes"] for each in both) / (n * side * side * 3),
        )


def _make(work: Path, n: int, side: int) -> None:
    from memtail_core.data.packed.packing import PART_BYTES
    from memtail_core.data.packed.part_folder import PartFolder

    rng, parts = np.random.default_rng(0), []
    rows = PART_BYTES // (side * side * 3)
    for start in range(0, n, rows):
        with PartFolder(work / "parts").written() as writer:
            k = min(rows, n - start)
            writer.write(rng.integers(0, 256, (k, side * side * 3), dtype=np.uint8).reshape(-1))
        parts.append([writer.sha256, k])
    (work / "index.json").write_text(json.dumps({"side": side, "parts": parts}))


def _be(child: str, work: Path, limit: int, steps: int, warm: bool) -> None:
    """Train or read a turn for each line of the standard input."""
    import torch

    from memtail_core.data import Dataset
    from memtail_core.data.packed.records import Packed, Part, Records
    from memtail_core.training.gradient.network_stack import NetworkStack
    from memtail_core.training.gradient.resident_data import ResidentData
    from memtail_core.training.registry import resolve

    torch.set_num_threads(1)
    told = json.loads((work / "index.json").read_text())
    parts = [Part(sha256, rows) for sha256, rows in told["parts"]]
    records = Records(work / "parts", parts, (told["side"], told["side"], 3), np.dtype(np.uint8))
    every = Packed(records)
    if child == "reader":
        while sys.stdin.readline():
            for view in records._arrays:
                view.reshape(-1)[::4096].sum()  # touch each page, copy none
            print(json.dumps(_smaps(work)), flush=True)
        return
    y = np.arange(len(every)) % _CLASSES
    both: list[Any] = [every, every.selected(np.arange(64))]
    if child == "memory":
        both = [each.whole() for each in both]
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    dataset = Dataset.from_arrays(both[0], y, both[1], y[:64])
    options = {"recipe": "cnn", "channels": [8, 16], "hidden": 32, "halve": "stride", "epochs": 9}
    recipe: Any = resolve({**options, "standardize": False}, dataset, len(y))
    data = ResidentData(dataset, False, torch.device("cpu"))
    networks = NetworkStack(recipe, data, [0])
    each = data.fed(_batches(len(y)))
    while sys.stdin.readline():  # iterating would read ahead
        if child == "mapped" and not warm:
            _forget(work, records)
        start = time.perf_counter()
        for batch in islice(each, steps):
            networks.step(batch, 0.01)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, **_smaps(work)}), flush=True)


def _batches(n: int) -> Iterator[Any]:
    import torch

    from memtail_core.training.gradient.batches import Batch

    generator = torch.Generator().manual_seed(0)
    while True:
        yield Batch(torch.randint(n, (1, 64), generator=generator))


def _smaps(work: Path) -> dict[str, int]:
    """Bytes of the parts that this process has in memory, and of its own."""
    mapped = pss = anonymous = 0
    is_part = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        field = line.split()
        if not field[0].endswith(":"):
            is_part = str(work.absolute() / "parts") in line
        elif field[0] == "Rss:" and is_part:
            mapped += int(field[1]) * 1024
        elif field[0] == "Pss:" and is_part:
            pss += int(field[1]) * 1024
        elif field[0] == "Anonymous:":
            anonymous += int(field[1]) * 1024
    return {"mapped_bytes": mapped, "pss_bytes": pss, "anonymous_bytes": anonymous}


def _forget(work: Path, records: Any) -> None:
    """Drop the parts from the page cache; no other process maps them now."""
    for mapped in records._maps:
        mapped.madvise(mmap.MADV_DONTNEED)
    for file in (work / "parts").iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _started(name: str, options: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, __file__, "--child", name, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _asked(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def _say(**what: Any) -> None:
    click.echo(json.dumps(what))


if __name__ == "__main__":
    main()
