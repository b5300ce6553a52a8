"""A recipe that trains nothing and waits at a gate: a test decides how far a study gets."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

GATE = "MEMTAIL_TEST_GATE"
"""The environment variable that names the gate's folder; without it nothing waits."""
STUDY = """
[study]
name = "gated"
trials = 36
shard_size = 3
[dataset]
source = "sklearn:digits"
train_limit = 400
[training]
recipe = "python:tests.services.gated:nearest"
"""


@dataclass(frozen=True)
class Gate:
    """The side of the test: trials wait until the gate is open, or until one is let through."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def let_one_through(self) -> None:
        """Let the next trial pass, of whichever worker; no effect while one still may."""
        (self.folder / "one").touch()

    def open(self) -> None:
        """Let all pass."""
        (self.folder / "open").touch()

    @property
    def passed(self) -> int:
        """How many trials have passed while it was not open."""
        passed = self.folder / "passed"
        return passed.stat().st_size if passed.exists() else 0

    def is_waited_at_by(self, processes: list[psutil.Process]) -> bool:
        """Whether one of these processes waits."""
        return any((self.folder / f"waits-{process.pid}").exists() for process in processes)


def nearest(x: Any, y: Any, *, seed: int, device: str, n_classes: int) -> Callable[[Any], Any]:
    """Predict the label of the nearest of a hundred training examples, in whole numbers."""
    _pass(os.environ.get(GATE))
    kept = np.random.default_rng(seed).choice(len(x), 100, replace=False)
    flat, labels = x[kept].reshape(100, -1).astype(np.int64), y[kept]

    def predict(inputs: Any) -> Any:
        inputs = inputs.reshape(len(inputs), -1).astype(np.int64)
        squares = (flat**2).sum(1) - 2 * inputs @ flat.T
        return labels[squares.argmin(1)]

    return predict


def _pass(gate: str | None) -> None:
    if gate is None:
        return
    waits = Path(gate, f"waits-{os.getpid()}")
    waits.touch()
    try:
        _wait(Path(gate))
    finally:
        waits.unlink()


def _wait(gate: Path) -> None:
    while not (gate / "open").exists():
        with suppress(FileNotFoundError):
            (gate / "one").unlink()
            with (gate / "passed").open("ab") as passed:
                passed.write(b".")
            return
        time.sleep(0.01)
