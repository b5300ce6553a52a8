"""``--until`` and ``--hours``: stop a run before its last model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli import formatting
from memtail_core.study import MOST_TRIALS

if TYPE_CHECKING:
    from memtail_core.experiments.stopping.result import Look
    from memtail_core.experiments.stopping.rules import Condition
    from memtail_core.experiments.stopping.watch import Expected, Watch
    from memtail_core.running.trials import Trials
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study


@dataclass
class Stopping:
    """What ends a run before its last model.

    Attributes:
        conditions: of ``--until``; the first that is met ends the run.
        hours: of ``--hours``, None without a limit.
        most: of ``--trials``, None without a limit.
    """

    conditions: "Sequence[Condition]"
    hours: float | None
    most: int | None
    _expected: "list[Expected]" = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        """The time limit, seconds."""
        return None if self.hours is None else 3600 * self.hours

    def planned(self, store: "ObjectStore", study: "Study", trials: int) -> int:
        """Predict how many models it takes, or how many to train before that can be predicted."""
        from memtail_core.experiments.stopping.watch import expected

        if not self.conditions:
            return trials
        self._expected = expected(store, study, self.conditions)
        known = [each.trials for each in self._expected if each.trials]
        first = [each.known_after for each in self._expected if each.known_after]
        return min([trials, *(known or first)])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "until": [each.model_dump() for each in self._expected],
            "most": self.most,
            "hours": self.hours,
        }

    def lines(self) -> list[str]:
        """The lines of the plan: how many models each condition is expected to take."""
        lines = [f"{each.condition}: {_prediction(each)}" for each in self._expected]
        if self.most:
            lines.append(f"{formatting.count(self.most, 'model')}, at most")
        if self.hours:
            lines.append(f"{self.hours:g} h, at most")
        return lines

    def watch(self, study: "Study", report: "Callable[[Look], None]") -> "Watch | None":
        """Return the stopping rule of these conditions; None if there are none.

        ``report`` is called with every look at the study.
        """
        from memtail_core.experiments.stopping.watch import Watch

        return Watch(study, self.conditions, report) if self.conditions else None

    def keep(
        self, store: "ObjectStore", study: "Study", watch: "Watch", loaded: "Trials", trials: int
    ) -> None:
        """Store what the conditions measured beside the study, for its report."""
        from memtail_core.experiments import results

        results.keep(store, study, watch.history(loaded, is_late=len(loaded) < trials))


def stopping_of(until: Sequence[str], hours: float | None, trials: int | None) -> Stopping | None:
    """Read the options; None if none is given.

    Raises:
        StudyError: a condition cannot be read.
    """
    if not until and hours is None:
        return None
    from memtail_core.experiments.stopping.rules import parse

    return Stopping([parse(text) for text in until], hours, trials)


def most_of(stopping: Stopping | None, asked: int | None, planned: int) -> int:
    """Return the most models to train: with conditions those asked for, or no limit."""
    return planned if stopping is None or not stopping.conditions else asked or MOST_TRIALS


def _prediction(each: "Expected") -> str:
    if each.trials is None:
        if each.known_after:
            return f"known after the first {each.known_after:,} models"
        return "these models do not tell how many it takes, if any number does"
    at_most = f", {each.at_most:,} at most" if each.at_most and each.at_most > each.trials else ""
    return f"about {each.trials:,} models{at_most}"
