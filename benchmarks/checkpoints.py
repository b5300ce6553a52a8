"""What checkpoints inside a trial cost, and what an interruption loses with them.

    python benchmarks/checkpoints.py --recipe cnn --side 16 --examples 600 --epochs 60 --every 3

A training of one network on noise, in a process of its own, is killed with SIGKILL at random
moments and gone on with. ``lost_seconds`` is how far it was when it was killed, less how far its
checkpoint is.

Then the network is trained again and again, in turns: without checkpoints, and with one each
``--every`` seconds. What is compared is the processor's time, of all threads, so that other work on
the machine does not count. ``share_at_interval`` is what one checkpoint costs by the interval that
memtail has by default: the overhead there, where the processor that trains also writes.

Last, what it takes to copy, write and read a state of ``--state-mb``: by default as large as that
of a ResNet-50 with SGD.
"""

import json
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

_CLASSES = 10
_NEVER = 1e9  # seconds
_PLACE = "reached"  # the file in which the process that is killed says how far it is


@click.command()
@click.option("--recipe", default="cnn", show_default=True)
@click.option("--side", default=16, show_default=True, help="Pixels of a side.")
@click.option("--examples", default=600, show_default=True, help="Images to train on.")
@click.option("--batch", default=64, show_default=True, help="Images of a step.")
@click.option("--epochs", default=60, show_default=True, help="Epochs of one training.")
@click.option("--every", default=3.0, show_default=True, help="Seconds between checkpoints.")
@click.option("--turns", default=3, show_default=True, help="Trainings of each kind.")
@click.option("--kills", default=5, show_default=True, help="How often it is killed.")
@click.option("--state-mb", default=205, show_default=True, help="Size of a state that is written.")
@click.option("--json", "_as_json", is_flag=True, help="Nothing else: each line is JSON.")
def main(
    recipe: str,
    side: int,
    examples: int,
    batch: int,
    epochs: int,
    every: float,
    turns: int,
    kills: int,
    state_mb: int,
    _as_json: bool,
) -> None:
    """Print one JSON object a line."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared = _prepare(folder, recipe, side, examples, batch, epochs)
        if kills:  # first: what has trained cannot fork
            _say(**_losses(folder, prepared, every, kills))
        if turns:
            _say(**_overhead(folder, prepared, every, turns))
        if state_mb:
            _say(**_written(folder, state_mb))


def _prepare(folder: Path, recipe: str, side: int, examples: int, batch: int, epochs: int) -> Any:
    from memtail_core import catalogue
    from memtail_core.data import Dataset
    from memtail_core.running.preparation import prepare
    from memtail_core.store import FilesStore
    from memtail_core.study import Spec

    rng = np.random.default_rng(0)
    n = examples + examples // 2
    x, y = rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8), np.arange(n) % _CLASSES
    dataset = Dataset.from_arrays(x[:examples], y[:examples], x[examples:], y[examples:])
    options = {"recipe": recipe, "batch_size": batch, "epochs": epochs, "precision": "float32"}
    spec = Spec.parse(
        {
            "study": {"trials": 1, "shard_size": 1},
            "dataset": {"source": "here"},
            "training": options,
        }
    )
    study, dataset = prepare(spec, dataset)
    for name in ("turns", "killed", "whole"):
        catalogue.register(FilesStore(folder / name), study, dataset, 1)
    return study


def _trainer(folder: Path, study: Any, every: float) -> Any:
    """A trainer of the study in a folder; what it does not have time for is no checkpoint."""
    os.environ["MEMTAIL_CHECKPOINT_EVERY"] = str(every)
    from memtail_core.running.shard_training import ShardTrainer
    from memtail_core.store import FilesStore

    return ShardTrainer(FilesStore(folder), study, "cpu", 1)


def _overhead(folder: Path, study: Any, every: float, turns: int) -> dict[str, Any]:
    from memtail_core.running.checkpoints import ShardCheckpoints
    from memtail_core.settings import Settings
    from memtail_core.store import FilesStore

    sizes: list[int] = []
    pauses: list[float] = []
    put, reached = FilesStore.put, ShardCheckpoints.reached

    def counted(self: FilesStore, key: str, content: bytes) -> None:
        if "/checkpoints/" in key:
            sizes.append(len(content))
        put(self, key, content)

    def timed(self: Any, phase: str, n: int, state: Callable[[], Any]) -> None:
        def copied() -> Any:
            begun = time.perf_counter()
            arrays = state()
            pauses.append(time.perf_counter() - begun)
            return arrays

        reached(self, phase, n, copied)

    trainers = {
        name: _trainer(folder / "turns", study, seconds)
        for name, seconds in (("without", _NEVER), ("with", every))
    }
    cpu: dict[str, list[float]] = {name: [] for name in trainers}
    wall: dict[str, list[float]] = {name: [] for name in trainers}
    with (
        patch.object(FilesStore, "put", counted),
        patch.object(ShardCheckpoints, "reached", timed),
    ):
        for turn in range(turns + 1):  # the first warms up
            if turn == 1:
                sizes.clear()
            for name, trainer in trainers.items():
                before, begun = time.process_time(), time.perf_counter()
                _train(trainer)
                cpu[name].append(time.process_time() - before)
                wall[name].append(time.perf_counter() - begun)
    more = [w - wo for w, wo in zip(cpu["with"][1:], cpu["without"][1:], strict=True)]
    cost = max(0.0, sum(more)) / len(sizes) if sizes else 0.0
    return {
        "training_cpu_seconds": median(cpu["without"][1:]),
        "with_checkpoints_cpu_seconds": median(cpu["with"][1:]),
        "training_seconds": median(wall["without"][1:]),
        "with_checkpoints_seconds": median(wall["with"][1:]),
        "checkpoints": len(sizes),
        "checkpoint_bytes": max(sizes, default=0),
        "pause_seconds": median(pauses) if pauses else None,
        "checkpoint_cpu_seconds": cost,
        "share_at_interval": cost / Settings.model_fields["checkpoint_every"].default,
    }


def _train(trainer: Any) -> None:
    from memtail_core.plan.shards import Shard

    trainer.train(Shard(0, 1))


def _losses(folder: Path, study: Any, every: float, kills: int) -> dict[str, Any]:
    from memtail_core.plan.shards import Shard
    from memtail_core.running.loading import load_shard
    from memtail_core.store import FilesStore

    shard = Shard(0, 1)
    lost: list[float] = []
    place = folder / _PLACE
    checkpoint = folder / "killed" / shard.checkpoint_key(study)
    is_stored = (folder / "killed" / shard.key(study)).exists
    for _ in range(kills):
        before = _kept(checkpoint)
        place.write_bytes(struct.pack("d", before))
        child = _started(folder / "killed", study, every, place)
        while _reached(place) <= before and not is_stored():
            time.sleep(0.01)
        time.sleep(random.uniform(0, 2 * every))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if is_stored():  # it was too late
            break
        lost.append(max(0.0, _reached(place) - _kept(checkpoint)))
    for name, seconds in (("killed", every), ("whole", _NEVER)):
        _, status = os.waitpid(_started(folder / name, study, seconds, place), 0)
        if status:
            raise click.ClickException("a training failed")
    whole, killed = (
        load_shard(FilesStore(folder / name), study, shard, values=True)
        for name in ("whole", "killed")
    )
    assert whole.train_values is not None
    assert killed.train_values is not None
    return {
        "interval_seconds": every,
        "kills": len(lost),
        "lost_seconds": lost,
        "most_lost_seconds": max(lost, default=0.0),
        "has_same_bits": whole.train_values.tobytes() == killed.train_values.tobytes()
        and bool((whole.test_correct == killed.test_correct).all()),
        "checkpoints_left": checkpoint.exists(),
    }


def _reached(place: Path) -> float:
    """How far the training was, in seconds of training."""
    return float(struct.unpack("d", place.read_bytes())[0])


def _kept(checkpoint: Path) -> float:
    """How far the checkpoint is."""
    from memtail_core.store import archive
    from memtail_core.store.document import document

    if not checkpoint.exists():
        return 0.0
    return float(document(str(archive.unpacked(checkpoint.read_bytes())["about"]))["seconds"])


def _started(folder: Path, study: Any, every: float, place: Path) -> int:
    """Train the shard in a fork that says after each step how far it is; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        _train_and_say_where(folder, study, every, place)
        code = 0
    finally:
        os._exit(code)


def _train_and_say_where(folder: Path, study: Any, every: float, place: Path) -> None:
    from memtail_core.running.checkpoints import ShardCheckpoints

    trainer = _trainer(folder, study, every)
    original = ShardCheckpoints.reached
    with place.open("r+b") as file, mmap.mmap(file.fileno(), 8) as reached:  # outlives the kill

        def noted(self: ShardCheckpoints, *arguments: Any) -> None:
            reached[:] = struct.pack("d", self.seconds)
            original(self, *arguments)

        with patch.object(ShardCheckpoints, "reached", noted):
            _train(trainer)


def _written(folder: Path, state_mb: int) -> dict[str, Any]:
    """Copy, store and read a state of that size, in 200 tensors; the processor's time of each."""
    import torch

    from memtail_core.settings import Settings
    from memtail_core.store import FilesStore, archive

    torch.set_num_threads(1)
    tensors = [torch.randn(state_mb * 10**6 // 800) for _ in range(200)]
    store, clock = FilesStore(folder / "state"), [time.process_time()]
    arrays = {f"tensor_{i}": t.to("cpu", copy=True).numpy() for i, t in enumerate(tensors)}
    clock.append(time.process_time())
    store.put("state", archive.packed(arrays))
    clock.append(time.process_time())
    archive.unpacked(store.get("state"))
    clock.append(time.process_time())
    copy, write, read = np.diff(clock).tolist()
    return {
        "state_bytes": sum(array.nbytes for array in arrays.values()),
        "copy_cpu_seconds": copy,
        "write_cpu_seconds": write,
        "read_cpu_seconds": read,
        "share_at_interval": (copy + write) / Settings.model_fields["checkpoint_every"].default,
    }


def _say(**what: Any) -> None:
    click.echo(json.dumps(what))


if __name__ == "__main__":
    main()
