"""How far a training process is in its shard, for whoever waits: small files of the run.

They are hints: a process that cannot write one trains on.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from memtail_core.plan.shards import Shard
from memtail_core.store.document import document

EVERY = 5.0  # seconds from one report to the next; a shard that takes less reports nothing

Report = Callable[[str, float], None]
"""Called with the phase of a training and its examples a second."""


@dataclass(frozen=True)
class UnderWay:
    """A shard that is being trained.

    Attributes:
        shard: its name.
        phase: "epoch 7 of 16", of the networks that are trained now.
        rate: examples a second, of all networks that train at once.
    """

    shard: str
    phase: str
    rate: float


class Meter:
    """Reports how far a training is, every few seconds."""

    def __init__(self, report: Report | None) -> None:
        self._report, self._examples = report, 0
        self._since = time.monotonic()

    def reached(self, phase: str, examples: int, now: float) -> None:
        """Count a step's examples."""
        self._examples += examples
        if self._report is not None and now - self._since >= EVERY:
            self._report(phase, self._examples / (now - self._since))
            self._examples, self._since = 0, now


def into(folder: Path, shard: Shard) -> Report:
    """Return what writes the reports of a shard into a folder."""

    def report(phase: str, rate: float) -> None:
        content = json.dumps(asdict(UnderWay(shard.name, phase, rate)))
        partial = folder / f"{shard.name}.partial"
        with suppress(OSError):
            partial.write_text(content, encoding="utf-8")
            partial.replace(folder / f"{shard.name}.json")

    return report


def read(folder: Path) -> list[UnderWay]:
    """The reports in a folder, by shard."""
    found = []
    for file in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            found.append(UnderWay(**document(file.read_text(encoding="utf-8"))))
    return found


def forget(folder: Path, shard: Shard) -> None:
    """Remove the report of a shard: it is stored."""
    with suppress(OSError):
        (folder / f"{shard.name}.json").unlink(missing_ok=True)
