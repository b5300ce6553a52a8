"""What ``memtail run`` shows: the plan, a bar with rate and time left, accuracies as they come."""

import signal
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import rich.progress
from rich.console import Console, RenderableType

from cli import formatting
from cli.plan import say_study
from memtail_core.plan.shards import Shard
from memtail_core.running.cost import Cost
from memtail_core.running.execution import Observer, ShardDone
from memtail_core.running.trials import Damaged
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.training import UNTUNED, Tuning

if TYPE_CHECKING:
    from memtail_core.experiments.stopping.result import Look

_EVERY = 10.0  # seconds between lines where there is no terminal to draw a bar on


class _Bar(rich.progress.Progress):
    """A bar with a line below it, so that narrow terminals show both."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield self.below


class RunProgress(Observer):
    """Prints to stderr, so that stdout is left to results; a plan alone is a result."""

    def __init__(
        self,
        study: Study,
        store: ObjectStore,
        cost: Cost,
        *,
        quiet: bool,
        only_plan: bool,
        until: Sequence[str] = (),
        is_open: bool = False,
    ) -> None:
        self._study, self._store, self._cost = study, store, cost
        self._console = Console(stderr=not only_plan, highlight=False, quiet=quiet, soft_wrap=True)
        self._bar = _Bar(
            rich.progress.TextColumn("training"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(
            "training", total=cost.trials, completed=cost.stored, note="", visible=False
        )
        self._until, self._is_open, self._total = until, is_open, cost.trials
        self._stack: int | None = None  # networks at once, so far
        self._told = time.monotonic()
        self._done: list[ShardDone] = []

    def say_plan(self) -> None:
        """Say what is about to be done."""
        study, cost, say = self._study, self._cost, self._console.print
        how_many = "as many as it takes" if self._is_open else None
        say_study(self._console, self._store, study, cost.asked, cost.trials, how_many)
        for line in self._until:
            say(f"  until     {line}", markup=False)
        if cost.missing == 0:
            say("  to train  nothing: all models are stored")
            return
        stored = f" ({cost.stored:,} are stored)" if cost.stored else ""
        workers = f"{formatting.count(cost.workers, 'process', 'processes')} on {cost.device}"
        about = "about " if self._is_open else ""
        say(f"  to train  {about}{cost.missing:,} models{stored}, {workers}")
        known = cost.seconds is not None
        length = formatting.length(cost.seconds or 0) if known else "known after the first shard"
        say(f"  cost      time: {length}; store: {formatting.size(cost.store_bytes)}")

    def shards_missing(self, missing: list[Shard]) -> None:
        """Start the bar where it was left."""
        stored = self._total - len(missing) * self._study.shard_size
        self._done.clear()
        self._bar.update(self._task, completed=stored, visible=True, note="starting")

    def aimed(self, trials: int) -> None:
        """Draw the bar up to the next look."""
        self._total = trials
        self._bar.update(self._task, total=trials)

    def looked(self, look: "Look") -> None:
        """Say what the rules say."""
        each = "; ".join(
            f"{seen.rule}: {'not known yet' if seen.value is None else f'{seen.value:.3f}'}"
            + (f", about {seen.expected:,} models" if seen.expected and not seen.met else "")
            for seen in look.rules
        )
        is_over = f"; reached: {' or '.join(look.met)}" if look.met else ""
        self._console.print(f"  at {look.trials:,} models: {each}{is_over}", markup=False)

    def shard_done(self, done: ShardDone, workers: int) -> None:
        """Move the bar; without a terminal, print a line now and then."""
        self._say_tuning(done.tuning)
        self._done.append(done)
        self._bar.advance(self._task, self._study.shard_size)
        task = self._bar.tasks[0]
        left = self._total - task.completed
        recent = self._done[-2 * workers :]  # the rate of the processes that are at work now
        rate = workers * self._study.shard_size * len(recent) / sum(d.seconds for d in recent)
        means = {name: _mean([d.accuracy[name] for d in self._done]) for name in done.accuracy}
        note = f"{formatting.rate(rate)} · {formatting.length(left / rate)} left"
        accuracies = f"new models: {formatting.accuracies(means)}"
        self._bar.below = accuracies
        self._bar.update(self._task, note=note)
        now = time.monotonic()
        if not self._console.is_terminal and (now - self._told > _EVERY or len(self._done) == 1):
            self._told = now
            self._console.print(
                f"  {task.completed:,.0f}/{self._total:,} models · {note} · {accuracies}"
            )

    def _say_tuning(self, tuning: Tuning) -> None:
        """Say how the networks train here, and if memory forced a change."""
        before = self._stack
        self._stack = min(before or tuning.stack, tuning.stack)
        if before is None and tuning != UNTUNED:
            at_once = (
                "one network at a time" if tuning.stack == 1 else f"{tuning.stack} networks at once"
            )
            self._console.print(f"  trains    {at_once}, in {tuning.precision}")
        elif before is not None and tuning.stack < before:
            self._console.print(
                f"[yellow]Warning:[/] memory is short: {tuning.stack} networks at once, not "
                f"{before}"
            )

    def workers_measured(self, workers: int, rates: dict[int, float]) -> None:
        """Say which number of processes is the fastest here."""
        size = self._study.shard_size
        each = ", ".join(
            f"{n}: {formatting.rate(rate * size)}" for n, rate in sorted(rates.items())
        )
        fastest = formatting.count(workers, "process", "processes")
        self._console.print(f"  measured  {fastest} trained fastest ({each})")

    def processes_died(self, workers: int) -> None:
        """Say that memory is short."""
        self._console.print(
            f"[yellow]Warning:[/] training processes died, perhaps for lack of memory; going "
            f"on with {workers}"
        )

    def shard_damaged(self, damaged: Damaged) -> None:
        """Say what was set aside."""
        shard = damaged.shard
        is_planned = shard.first < self._total
        again = "trained again" if is_planned else f"--trials {shard.last} trains them again"
        self._console.print(
            f"Warning: the models {shard.first} to {shard.last - 1} were unreadable "
            f"({damaged.reason}); moved to {damaged.key}; {again}",
            markup=False,
        )

    def __enter__(self) -> Self:
        """Start the bar; a scheduler's SIGTERM stops as cleanly as Ctrl-C."""
        self._sigterm = signal.signal(signal.SIGTERM, signal.default_int_handler)
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the bar; after Ctrl-C, say how to continue."""
        self._bar.stop()
        signal.signal(signal.SIGTERM, self._sigterm)
        if kind is KeyboardInterrupt:
            stored = int(self._bar.tasks[0].completed)
            Console(stderr=True, highlight=False, soft_wrap=True).print(
                f"stopped: {stored:,} of {self._total:,} models are stored in "
                f"{self._store.location}; the same command continues, or: memtail run "
                f"{self._study.id} --store {self._store.location}",
                markup=False,
            )
            raise SystemExit(130)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
