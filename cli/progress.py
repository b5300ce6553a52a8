"""One progress bar for all commands: how far, how fast and how much time is left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cli import formatting

_LINE_EVERY = 10.0  # seconds between lines where there is no terminal to draw a bar on
_LARGEST_SHOWN = 100_000  # above it, a percentage is easier to read than a count


class ProgressBar:
    """A bar on a terminal; elsewhere a line every ten seconds.

    Args:
        console: where it is drawn.
        description: what is under way, as ``training``.
        total: how many units there are.
        unit: what is counted, in the plural, as ``models``.
        completed: how many of them are ready at the start.
        is_transient: whether the bar disappears at the end.
    """

    def __init__(
        self,
        console: Console,
        description: str,
        total: int,
        unit: str,
        *,
        completed: int = 0,
        is_transient: bool = True,
    ) -> None:
        self._console, self._unit = console, unit
        self._description, self._below = description, ""
        self._bar = _TwoLines(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            _Count(),
            rich.progress.TextColumn("{task.fields[pace]}"),
            console=console,
            transient=is_transient,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(description, total=total, completed=completed, pace="")
        self._next_line, self._printed = self._console.get_time() + _LINE_EVERY, ""

    @property
    def completed(self) -> int:
        """How many units are ready."""
        return int(self._bar.tasks[0].completed)

    @property
    def total(self) -> int:
        """How many units there are."""
        return int(self._bar.tasks[0].total or 0)

    def restart(self, completed: int, total: int) -> None:
        """Start again at ``completed`` of ``total``."""
        self._bar.reset(self._task, completed=completed, total=total, pace="starting")

    def extend(self, total: int) -> None:
        """Aim at another total."""
        self._bar.update(self._task, total=total)

    def advance(self, n: int, *, rate: float | None = None, below: str = "") -> None:
        """Count ``n`` more units.

        ``rate`` is in units a second, measured here if None; ``below`` is a line under the bar.
        """
        self._bar.advance(self._task, n)
        rate = rate or self._bar.tasks[0].speed
        self.show_pace(rate, (self.total - self.completed) / rate if rate else None, below)
        if not self._console.is_terminal and self._console.get_time() >= self._next_line:
            self.print_line()

    def show_pace(self, rate: float | None, seconds_left: float | None, below: str = "") -> None:
        """Show a rate in units a second and the time left, where known, and a line below."""
        parts = [] if rate is None else [formatting.rate(rate, self._unit)]
        parts += [] if seconds_left is None else [f"{formatting.length(seconds_left)} left"]
        self._bar.below = below
        self._bar.update(self._task, pace=" · ".join(parts))

    def show_below(self, below: str) -> None:
        """Show a line below the bar, or print it where a line is due."""
        self._bar.below = below
        if not self._console.is_terminal and self._console.get_time() >= self._next_line:
            self.print_line()

    def print_line(self) -> None:
        """Print how far it is, as text, unless that is what was printed last."""
        self._next_line = self._console.get_time() + _LINE_EVERY
        task = self._bar.tasks[0]
        start = f"  {self._description}: {self.completed:,}/{self.total:,} {self._unit}"
        parts = [start, task.fields["pace"], self._bar.below]
        line = " · ".join(part for part in parts if part)
        if line != self._printed:
            self._console.print(line, markup=False)
            self._printed = line

    def start(self) -> None:
        """Draw it."""
        self._bar.start()

    def stop(self) -> None:
        """Draw it no more."""
        if self._console.is_terminal:  # or rich prints an empty line
            self._bar.stop()

    def __rich__(self) -> RenderableType:
        """Draw it once, within something else."""
        return Group(*self._bar.get_renderables())


@contextmanager
def progress_bar(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Draw a bar on stderr until the block ends; yield what counts more units."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    bar = ProgressBar(console, description, total, unit)
    bar.start()
    try:
        yield bar.advance
    finally:
        bar.stop()


@contextmanager
def reading(what: str, *, is_quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Say on stderr that data are read, until the block ends.

    Yields what draws a bar when it is told how many images are packed, of how many.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=is_quiet)
    status = console.status(f"reading {escape(what)}")
    bar: ProgressBar | None = None

    def packed(done: int, total: int) -> None:
        nonlocal bar
        if bar is not None:
            bar.advance(done - bar.completed)
        elif done < total:
            status.stop()
            bar = ProgressBar(console, "packing", total, "images", completed=done)
            bar.start()

    status.start()
    try:
        yield packed
    finally:
        status.stop()
        if bar is not None:
            bar.stop()


class _Count(rich.progress.ProgressColumn):
    """``40/300``, or a percentage of large numbers."""

    def render(self, task: rich.progress.Task) -> Text:
        if (task.total or 0) > _LARGEST_SHOWN:
            return Text(f"{task.percentage:3.0f}%")
        return Text(f"{task.completed:,.0f}/{task.total or 0:,.0f}")


class _TwoLines(rich.progress.Progress):
    """A bar with a line below it, so that narrow terminals show both."""

    below = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield from super().get_renderables()
        if self.below:
            yield self.below
