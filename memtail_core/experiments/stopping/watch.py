"""Looking at a study as it is trained, and estimating how many trials a condition takes."""

from collections.abc import Callable, Iterable, Sequence
from math import ceil

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.stopping.intervals import deciding
from memtail_core.experiments.stopping.looks import looks
from memtail_core.experiments.stopping.result import Look, StoppingHistory, Verdict
from memtail_core.experiments.stopping.rules import (
    Condition,
    Rule,
    SmallError,
    Tally,
    check,
)
from memtail_core.plan import designs
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study, SubsetsTable

_HALF = 20  # trials, at least, of halves that can be compared


class Watch:
    """Looks at a study as it is trained, and says when its conditions are met.

    It is an :class:`~memtail_core.running.execution.Until`.
    """

    def __init__(
        self, study: Study, conditions: Sequence[Condition], report: Callable[[Look], None]
    ) -> None:
        check(conditions, study)
        self._study, self._conditions, self._report = study, conditions, report
        self._looks: list[Look] = []

    def looks(self) -> Iterable[int]:
        """Yield the numbers of trials at which to look."""
        return looks(self._study.shard_size)

    def enough(self, trials: Trials) -> bool:
        """Look at the trials; say whether a condition is met."""
        look = look_at(self._study, self._conditions, trials)
        self._looks.append(look)
        self._report(look)
        return bool(look.met)

    def history(self, trials: Trials, is_late: bool) -> StoppingHistory:
        """Sum up when the run is over; ``is_late``: time ran out."""
        is_met = bool(self._looks) and bool(self._looks[-1].met)
        return StoppingHistory(
            study=self._study.id,
            trials=len(trials),
            conditions=[str(each) for each in self._conditions],
            reason="enough" if is_met else "hours" if is_late else "trials",
            looks=self._looks,
            decided=deciding(trials, _rules(self._conditions), self._study.shard_size),
        )


def look_at(study: Study, conditions: Sequence[Condition], trials: Trials) -> Look:
    """Ask all rules about some trials."""
    tally = Tally(trials, designs.block(study))
    verdicts = {rule: rule.look(tally) for rule in _rules(conditions)}
    return Look(
        trials=len(trials),
        rules=list(verdicts.values()),
        met=[str(each) for each in conditions if all(verdicts[rule].met for rule in each.rules)],
    )


class Expected(BaseModel):
    """How many trials a condition is expected to take, in all.

    Attributes:
        condition: in words.
        trials: the expected number; None: not known yet, or never.
        at_most: enough whatever the models do; None: no number is.
        known_after: the number of trials after which ``trials`` is known, if it is not yet.
    """

    model_config = ConfigDict(frozen=True)

    condition: str
    trials: int | None
    at_most: int | None
    known_after: int | None


def expected(store: ObjectStore, study: Study, conditions: Sequence[Condition]) -> list[Expected]:
    """Estimate the trials that each condition takes, from the design and the stored trials."""
    check(conditions, study)
    loaded, _ = loading.load(store, study)
    look = look_at(study, conditions, loaded) if len(loaded) else None
    of_rule = {each.rule: each for each in look.rules} if look else {}
    estimates = []
    for condition in conditions:
        each = [_expected(rule, study, of_rule.get(str(rule))) for rule in condition.rules]
        known, most_each = [e[0] for e in each], [e[1] for e in each]
        estimates.append(
            Expected(
                condition=str(condition),
                trials=None if None in known else max(k for k in known if k is not None),
                at_most=None if None in most_each else max(m for m in most_each if m is not None),
                known_after=_first_known(study, len(loaded)) if None in known else None,
            )
        )
    return estimates


def _expected(rule: Rule, study: Study, verdict: Verdict | None) -> tuple[int | None, int | None]:
    """Return how many trials are expected, and how many are enough whatever the models do."""
    if not isinstance(rule, SmallError):
        return (verdict.expected if verdict else None), None
    assert isinstance(study.subsets, SubsetsTable)  # checked
    if study.subsets.design != "balanced":  # some example is held out much less often than most
        return (verdict.expected if verdict else rule.by_design(study.subsets.ratio)[0]), None
    typical, most = rule.by_design(study.subsets.ratio)
    return (verdict.expected if verdict else typical), most


def _first_known(study: Study, n_stored: int) -> int | None:
    block = max(designs.block(study), 10)
    first = 2 * block * ceil(_HALF / block)
    return first if n_stored < first else None


def _rules(conditions: Sequence[Condition]) -> list[Rule]:
    return list(dict.fromkeys(rule for each in conditions for rule in each.rules))
