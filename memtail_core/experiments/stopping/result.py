"""Watching a study until it has enough trials, and what is kept of that."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import ceil
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from memtail_core.analysis import Analysis
from memtail_core.estimation import Memorization
from memtail_core.estimation.counted import COUNTED
from memtail_core.experiments.results import Result, kept
from memtail_core.experiments.stopping.rules import (
    Condition,
    Decided,
    Rule,
    SmallError,
    Tally,
    check,
    decided,
    looks,
    widened,
)
from memtail_core.plan import designs
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study, SubsetsTable
from memtail_core.study.validation import Number

Reason = Literal["enough", "trials", "hours"]

_HALF = 20  # trials, at least, of halves that can be compared


class RuleSeen(BaseModel):
    """What a rule said at a look: see :class:`.stopping.Seen`."""

    model_config = ConfigDict(frozen=True)

    rule: str
    value: Number
    met: bool
    expected: int | None


class Look(BaseModel):
    """One look.

    Attributes:
        trials: how many there were.
        rules: what each rule said, of all conditions, each once.
        met: the conditions that were met, of which one is enough.
    """

    model_config = ConfigDict(frozen=True)

    trials: int
    rules: list[RuleSeen]
    met: list[str]


class DecidedBy(BaseModel):
    """An example that kept the study going alone: see :class:`.stopping.Decided`."""

    model_config = ConfigDict(frozen=True)

    index: int
    trials: int


class StoppingFound(Result):
    """What was found.

    Attributes:
        conditions: what was asked for; one of them was to be met.
        reason: why it ended: enough, or the trials or hours it was to take at most.
        looks: of the run that ended it; those of interrupted runs before are not kept.
        decided: examples that kept it going alone, whose intervals are widened.
    """

    experiment: ClassVar[str] = "stopping"

    conditions: list[str]
    reason: Reason
    looks: list[Look]
    decided: list[DecidedBy]


class Watch:
    """Looks at a study as it is trained (a :class:`.StoppingRule`)."""

    def __init__(
        self, study: Study, conditions: Sequence[Condition], tell: Callable[[Look], None]
    ) -> None:
        check(conditions, study)
        self._study, self._conditions, self._tell = study, conditions, tell
        self._looks: list[Look] = []

    def looks(self) -> Iterable[int]:
        """After how many trials to look."""
        return looks(self._study.shard_size)

    def enough(self, trials: Trials) -> bool:
        """Look."""
        look = looked(self._study, self._conditions, trials)
        self._looks.append(look)
        self._tell(look)
        return bool(look.met)

    def found(self, trials: Trials, is_late: bool) -> StoppingFound:
        """Sum up, when it is over."""
        is_met = bool(self._looks) and bool(self._looks[-1].met)
        return StoppingFound(
            study=self._study.id,
            trials=len(trials),
            conditions=[str(each) for each in self._conditions],
            reason="enough" if is_met else "hours" if is_late else "trials",
            looks=self._looks,
            decided=[
                DecidedBy(**vars(each))
                for each in decided(trials, _rules(self._conditions), self._study.shard_size)
            ],
        )


def looked(study: Study, conditions: Sequence[Condition], trials: Trials) -> Look:
    """Look at some trials."""
    tally = Tally(trials, designs.block(study))
    seen = {rule: rule.look(tally) for rule in _rules(conditions)}
    return Look(
        trials=len(trials),
        rules=[RuleSeen(rule=str(rule), **vars(each)) for rule, each in seen.items()],
        met=[str(each) for each in conditions if all(seen[rule].met for rule in each.rules)],
    )


class Expected(BaseModel):
    """How many trials a condition is expected to take, in all.

    Attributes:
        condition: which.
        trials: expected; None: not known yet, or never.
        at_most: whatever the models do; None: nothing can be promised.
        known_after: trials after which more is known, where nothing is; None: something is.
    """

    model_config = ConfigDict(frozen=True)

    condition: str
    trials: int | None
    at_most: int | None
    known_after: int | None


def expected(store: ObjectStore, study: Study, conditions: Sequence[Condition]) -> list[Expected]:
    """Say how many trials each condition is expected to take, from design and stored trials."""
    check(conditions, study)
    loaded, _ = loading.load(store, study)
    look = looked(study, conditions, loaded) if len(loaded) else None
    of_rule = {each.rule: each for each in look.rules} if look else {}
    found = []
    for condition in conditions:
        each = [_expected(rule, study, of_rule.get(str(rule))) for rule in condition.rules]
        known, most_each = [e[0] for e in each], [e[1] for e in each]
        found.append(
            Expected(
                condition=str(condition),
                trials=None if None in known else max(k for k in known if k is not None),
                at_most=None if None in most_each else max(m for m in most_each if m is not None),
                known_after=_first_known(study, len(loaded)) if None in known else None,
            )
        )
    return found


def _expected(rule: Rule, study: Study, seen: RuleSeen | None) -> tuple[int | None, int | None]:
    """Return how many trials are expected, and how many are enough whatever the models do."""
    if not isinstance(rule, SmallError):
        return (seen.expected if seen else None), None
    assert isinstance(study.subsets, SubsetsTable)  # checked
    if study.subsets.design != "balanced":  # some example is held out much less often than most
        return (seen.expected if seen else rule.by_design(study.subsets.ratio)[0]), None
    typical, most = rule.by_design(study.subsets.ratio)
    return (seen.expected if seen else typical), most


def _first_known(study: Study, n_stored: int) -> int | None:
    block = max(designs.block(study), 10)
    first = 2 * block * ceil(_HALF / block)
    return first if n_stored < first else None


def _rules(conditions: Sequence[Condition]) -> list[Rule]:
    return list(dict.fromkeys(rule for each in conditions for rule in each.rules))


def sequential(
    store: ObjectStore, study: Study, scores: Memorization, loaded: Trials
) -> tuple[Memorization, int]:
    """Widen the intervals of a study that was stopped at these very trials; and say how many."""
    for found in kept(store, study, StoppingFound):
        if found.trials == len(loaded):
            some = [Decided(each.index, each.trials) for each in found.decided]
            return widened(scores, loaded, some), len(some)
    return scores, 0


def as_stopped(store: ObjectStore, of: Analysis) -> Analysis:
    """Allow for it in the intervals if the study was stopped by a rule (``--until``).

    Only counted scores have intervals that are widened for it.
    """
    if of.estimator is not COUNTED:
        return of
    scores, n_widened = sequential(store, of.study, of.scores, of.trials)
    return replace(of, scores=scores, widened=n_widened)
