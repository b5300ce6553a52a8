"""``--until`` and ``--hours``: when fewer models than asked for are enough."""

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
    """What ends a run before its last model: conditions, and hours."""

    conditions: "Sequence[Condition]"
    hours: float | None
    most: int | None
    _expected: "list[Expected]" = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        """The hours in seconds."""
        return None if self.hours is None else 3600 * self.hours

    def planned(self, store: "ObjectStore", study: "Study", trials: int) -> int:
        """Say how many models it is expected to take; those after which more is known, if so."""
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
        """What the plan says: how many models each condition is expected to take."""
        said = [f"{each.condition}: {_said(each)}" for each in self._expected]
        if self.most:
            said.append(f"{formatting.count(self.most, 'model')}, at most")
        if self.hours:
            said.append(f"{self.hours:g} h, at most")
        return said

    def watch(self, study: "Study", tell: "Callable[[Look], None]") -> "Watch | None":
        """Return what looks at the study, if there are conditions."""
        from memtail_core.experiments.stopping.watch import Watch

        return Watch(study, self.conditions, tell) if self.conditions else None

    def keep(
        self, store: "ObjectStore", study: "Study", watch: "Watch", found: "Trials", trials: int
    ) -> None:
        """Keep what was seen beside the study, for its report."""
        from memtail_core.experiments import results

        results.keep(store, study, watch.history(found, is_late=len(found) < trials))


def stopping_of(until: Sequence[str], hours: float | None, trials: int | None) -> Stopping | None:
    """Read the options; None if there are none of them.

    Raises:
        StudyError: a condition is none.
    """
    from memtail_core.experiments.stopping.rules import parse

    if not until and hours is None:
        return None
    return Stopping([parse(text) for text in until], hours, trials)


def most_of(stopping: Stopping | None, asked: int | None, planned: int) -> int:
    """Return how many models there may be: with conditions those asked for, or no end."""
    return planned if stopping is None or not stopping.conditions else asked or MOST_TRIALS


def _said(each: "Expected") -> str:
    if each.trials is None:
        if each.known_after:
            return f"known after the first {each.known_after:,} models"
        return "these models do not tell how many it takes, if any number does"
    at_most = f", {each.at_most:,} at most" if each.at_most and each.at_most > each.trials else ""
    return f"about {each.trials:,} models{at_most}"
