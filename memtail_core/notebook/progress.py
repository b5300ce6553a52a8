"""A progress bar while models train: in a notebook, on a terminal, or not at all."""

import time
from collections.abc import Sequence
from html import escape
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memtail_core.plan.shards import Shard
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.loading import Damaged
from memtail_core.running.shard_training import TrainedShard
from memtail_core.study import Study


class Bar(Protocol):
    """What shows how far it is."""

    def show(self, done: int, total: int, words: str) -> None:
        """Show ``done`` of ``total`` models."""

    def close(self) -> None:
        """Leave it as it is."""


class TrainingProgress(ProgressListener):
    """Counts the models that are stored, and shows them.

    Args:
        study: which.
        trials: models that there will be, before they are rounded up to whole shards.
        is_shown: whether to show anything.
    """

    def __init__(self, study: Study, trials: int, *, is_shown: bool) -> None:
        self._study = study
        size = study.shard_size
        self._total = -(-trials // size) * size
        self._done, self._trained, self._start = 0, 0, 0.0
        self._accuracy: dict[str, float | None] = {}
        self._notes: list[str] = []
        self._bar: Bar | None = _bar() if is_shown else None

    def shards_missing(self, missing: Sequence[Shard]) -> None:
        """Start where the store is."""
        self._done = max(0, self._total - len(missing) * self._study.shard_size)
        self._start = time.monotonic()
        self._show()

    def shard_trained(self, done: TrainedShard, workers: int) -> None:
        """Move the bar."""
        del workers
        self._trained += self._study.shard_size
        self._done += self._study.shard_size
        self._accuracy = done.accuracy
        self._show()

    def shard_stored_elsewhere(self, shard: Shard) -> None:
        """Move the bar."""
        self._done += shard.last - shard.first
        self._show()

    def processes_died(self, workers: int) -> None:
        """Say that it goes on with fewer processes."""
        self._notes.append(f"Warning: training processes died; continuing with {workers}")
        self._show()

    def shard_damaged(self, damaged: Damaged) -> None:
        """Say which models are trained again."""
        shard = damaged.shard
        self._notes.append(
            f"Warning: the models {shard.first} to {shard.last - 1} were unreadable "
            f"({damaged.reason}) and are trained again"
        )
        self._show()

    def __enter__(self) -> Self:
        """Begin; a study of which nothing is missing shows no bar."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.show(self._done, self._total, self._words())

    def _words(self) -> str:
        """The rate, the accuracies of the latest models, and what went wrong."""
        seconds = time.monotonic() - self._start
        rate = [f"{self._trained / seconds:.3g} models/s"] if self._trained and seconds else []
        accuracies = [
            f"{name.replace('_', ' ')} {value:.1%}"
            for name, value in self._accuracy.items()
            if value is not None
        ]
        return " · ".join([*rate, *([", ".join(accuracies)] if accuracies else []), *self._notes])


def _bar() -> Bar | None:
    """A bar for where this runs; none where nobody would see one."""
    if _is_notebook():
        return _NotebookBar()
    console = Console(stderr=True, highlight=False)
    return _TerminalBar(console) if console.is_terminal else None


def _is_notebook() -> bool:
    """Whether a Jupyter kernel runs this program."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


class _NotebookBar:
    """HTML that is replaced as it changes, without widgets."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, done: int, total: int, words: str) -> None:
        from IPython.display import HTML, display

        shown = HTML(
            f"<div>training <progress value='{done}' max='{total}'></progress> "
            f"{done:,}/{total:,} models <small>{escape(words)}</small></div>"
        )
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def close(self) -> None:
        pass


class _TerminalBar:
    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
        )
        self._task = self._bar.add_task("training", total=None, words="")

    def show(self, done: int, total: int, words: str) -> None:
        self._bar.start()
        self._bar.update(self._task, completed=done, total=total, words=words)

    def close(self) -> None:
        self._bar.stop()
