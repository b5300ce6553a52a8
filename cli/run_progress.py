"""What ``memtail run`` prints while it trains: the plan, a progress bar and the accuracies."""

import signal
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console

from cli import formatting
from cli.plan import say_kept, say_study
from cli.progress import ProgressBar
from memtail_core.data import Account
from memtail_core.plan.shards import Shard
from memtail_core.running.cost import Cost
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.loading import Damaged
from memtail_core.running.shard_training import TrainedShard
from memtail_core.running.under_way import UnderWay
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.training import UNTUNED, Tuning

if TYPE_CHECKING:
    from memtail_core.experiments.stopping.result import Look

_MOST_SHOWN = 4  # shards under way


class RunProgress(ProgressListener):
    """Prints to stderr, so that stdout is left to results; a plan alone is a result."""

    def __init__(
        self,
        study: Study,
        store: ObjectStore,
        cost: Cost,
        account: Account,
        *,
        quiet: bool,
        only_plan: bool,
        until: Sequence[str] = (),
        is_open: bool = False,
    ) -> None:
        self._study, self._store, self._cost = study, store, cost
        self._account = account
        self._console = Console(stderr=not only_plan, highlight=False, quiet=quiet, soft_wrap=True)
        self._bar = ProgressBar(
            *(self._console, "training", cost.trials, "models"),
            completed=cost.stored,
            is_transient=False,
        )
        self._until, self._is_open = until, is_open
        self._stack: int | None = None  # networks at once, so far
        self._features: ProgressBar | None = None
        self._trained: list[TrainedShard] = []
        self._rate: float | None = None
        self._below, self._has_waited = "", False

    def say_plan(self) -> None:
        """Print the study, what is to be trained, and what it costs."""
        study, cost, say = self._study, self._cost, self._console.print
        account = self._account
        how_many = "as many as it takes" if self._is_open else None
        say_study(self._console, self._store, study, account, cost.asked, cost.trials, how_many)
        for line in self._until:
            say(f"  until     {line}", markup=False)
        if cost.missing == 0:
            say("  to train  nothing: all models are stored")
            return
        stored = f" ({cost.stored:,} are stored)" if cost.stored else ""
        workers = f"{formatting.count(cost.workers, 'process', 'processes')} on {cost.device}"
        about = "about " if self._is_open else ""
        say(f"  to train  {about}{cost.missing:,} models{stored}, {workers}")
        if cost.mapped_bytes:
            say(
                f"  memory    about {formatting.size(cost.process_bytes)} a process; all of them "
                f"map the same {formatting.size(cost.mapped_bytes)} of records from files"
            )
        known = cost.seconds is not None
        length = formatting.length(cost.seconds or 0) if known else "known after the first shard"
        say(f"  cost      time: {length}; store: {formatting.size(cost.store_bytes)}")

    def say_kept(self, goal: int) -> None:
        """Say so if the study is to have more models than this run trains."""
        say_kept(self._console, self._study, self._cost.asked, goal)

    def features_computed(self, done: int, total: int) -> None:
        """Draw a bar of its own until all features are there."""
        if self._features is None:
            if done == total:
                return
            self._bar.stop()
            self._features = ProgressBar(
                *(self._console, "features", total, "examples"), completed=done, is_transient=False
            )
            self._features.start()
        elif done > self._features.completed:
            self._features.advance(done - self._features.completed)
        if done == total:
            self._features.stop()
            self._features = None
            self._bar.start()

    def shards_missing(self, missing: Sequence[Shard]) -> None:
        """Start the bar where it was left."""
        total = self._bar.total
        self._trained.clear()
        self._bar.restart(total - len(missing) * self._study.shard_size, total)

    def goal_changed(self, trials: int) -> None:
        """Let the bar end where the stopping rules are checked next."""
        self._bar.extend(trials)

    def looked(self, look: "Look") -> None:
        """Print how far each stopping rule is."""
        each = "; ".join(
            f"{rule.rule}: {'not known yet' if rule.value is None else f'{rule.value:.3f}'}"
            + (f", about {rule.expected:,} models" if rule.expected and not rule.met else "")
            for rule in look.rules
        )
        is_over = f"; reached: {' or '.join(look.met)}" if look.met else ""
        self._console.print(f"  at {look.trials:,} models: {each}{is_over}", markup=False)

    def shard_trained(self, done: TrainedShard, workers: int) -> None:
        """Move the bar."""
        self._say_tuning(done.tuning)
        self._trained.append(done)
        recent = self._trained[-2 * workers :]  # the rate of the processes that are at work now
        size = self._study.shard_size
        rate = workers * size * len(recent) / sum(shard.seconds for shard in recent)
        means = {
            name: _mean([shard.accuracy[name] for shard in self._trained]) for name in done.accuracy
        }
        self._rate, self._below = rate, f"new models: {formatting.accuracies(means)}"
        self._bar.advance(size, rate=rate, below=self._below)
        if len(self._trained) == 1 and not self._console.is_terminal:
            self._bar.print_line()

    def shards_under_way(self, under_way: Sequence[UnderWay]) -> None:
        """Show how far the models of each shard are."""
        each = [
            f"{_models(one.shard)}: {one.phase}, {one.rate:,.0f} examples/s"
            for one in under_way[:_MOST_SHOWN]
        ]
        more = len(under_way) - len(each)
        each += [f"and {more} more"] if more else []
        self._bar.show_below("; ".join(each))

    def shards_elsewhere(self, shards: Sequence[Shard]) -> None:
        """Print, once, that other runs train what is left."""
        if not self._has_waited:
            models = len(shards) * self._study.shard_size
            self._console.print(f"  waiting for other runs, which train the last {models:,} models")
            self._has_waited = True

    def shard_stored_elsewhere(self, shard: Shard) -> None:
        """Move the bar."""
        self._bar.advance(shard.last - shard.first, rate=self._rate, below=self._below)

    def _say_tuning(self, tuning: Tuning) -> None:
        """Print how the networks train here, and whether memory forced a change."""
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
        """Print which number of processes is the fastest here."""
        per_minute = 60 * self._study.shard_size
        each = ", ".join(f"{n}: {rate * per_minute:,.1f}" for n, rate in sorted(rates.items()))
        fastest = formatting.count(workers, "process", "processes")
        self._console.print(f"  measured  {fastest} trained fastest ({each} models/min)")

    def processes_died(self, workers: int) -> None:
        """Print that training goes on with fewer processes."""
        self._console.print(
            f"[yellow]Warning:[/] training processes died, perhaps for lack of memory; "
            f"continuing with {workers}"
        )

    def shard_damaged(self, damaged: Damaged) -> None:
        """Print which models are trained again, and where the damaged file is."""
        shard = damaged.shard
        is_planned = shard.first < self._bar.total
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
        for bar in (self._features, self._bar):
            if bar is not None:
                bar.stop()
        signal.signal(signal.SIGTERM, self._sigterm)
        if kind is KeyboardInterrupt:
            bar = self._bar
            Console(stderr=True, highlight=False, soft_wrap=True).print(
                f"stopped: {bar.completed:,} of {bar.total:,} models are stored in "
                f"{self._store.location}; the same command continues, or: memtail run "
                f"{self._study.id} --store {self._store.location}",
                markup=False,
            )
            raise SystemExit(130)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _models(shard: str) -> str:
    """The models of the shard of this name: ``models 40 to 44``."""
    first, last = map(int, shard.split("-"))
    return f"model {first:,}" if last == first + 1 else f"models {first:,} to {last - 1:,}"
