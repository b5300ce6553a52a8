"""Stopping rules: what you can ask for, and whether a study's trials are enough for it.

    se<=0.05                   the largest standard error of any example's memorization
    top-1000 stable at 0.9     two studies as large would share 90% of their 1,000 most memorized
    memorized stable at 0.9    … would agree on what has memorization ≥ 0.25 (Jaccard)
    … and …                    all of them

Rules are checked ("looks") at numbers of trials that grow by a tenth, so that all looks together
cost as much as eleven of the last, and a study has at most a tenth more trials than it needs.

What the looks do to intervals is said in ``intervals.py``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.disagreements import Counts
from memtail_core.analysis.halves import whole_blocks
from memtail_core.errors import StudyError
from memtail_core.estimation.agreement import agreement, top
from memtail_core.estimation.growth import Curve, shared, shrinking
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.stopping.looks import FIRST
from memtail_core.experiments.stopping.result import Verdict
from memtail_core.running.trials import Trials
from memtail_core.study import MOST_TRIALS, Study, SubsetsTable

Floats = NDArray[np.float64]

_GROUPS, _GROUP = 64, 10  # blocks are counted in groups: at most so many; trials of each, at least
_SPLITS = 10  # into halves
_AND = re.compile(r"\s+and\s+")
_SMALL = re.compile(r"se\s*(?:<=|≤|<)\s*(\S+)")
_STABLE = re.compile(r"(?:top-([0-9]+)|memorized)\s+stable\s+at\s+(\S+)")


@dataclass(frozen=True)
class SmallError:
    """The largest standard error of any example that has a score is at most ``bound``.

    The error is √(p̃_in q̃_in / (n_in + 2) + p̃_out q̃_out / (n_out + 2)) with p̃ = (k + 1) / (n + 2),
    as in the 95% interval of Agresti & Caffo, so it is above 0 even where all trials agree.
    Examples without a score are left out.
    """

    bound: float

    def __str__(self) -> str:
        return f"se<={self.bound:g}"

    def look(self, tally: "Tally") -> Verdict:
        """Ask the rule about some trials."""
        largest = float(errors(tally.counts).max(initial=0))
        if not largest:
            return Verdict(rule=str(self), value=None, met=False, expected=None)
        needed = self._needed(tally.counts, len(tally.trials))
        is_met = largest <= self.bound
        return Verdict(rule=str(self), value=largest, met=is_met, expected=needed)

    def _needed(self, of: Counts, n_trials: int) -> int | None:
        known = (of.n_in > 0) & (of.n_out > 0)
        of = of.where(known)
        p, q = (of.in_correct + 1) / (of.n_in + 2), (of.out_correct + 1) / (of.n_out + 2)
        return _least(
            lambda t: float(
                np.sqrt(
                    p * (1 - p) / (of.n_in * t / n_trials + 2)
                    + q * (1 - q) / (of.n_out * t / n_trials + 2)
                ).max()
            ),
            self.bound,
        )

    def by_design(self, ratio: float) -> tuple[int | None, int | None]:
        """Return how many trials it takes if p_in = 1 and p_out = ½, and if both are ½."""

        def error(t: float, of_in: float) -> float:
            return float(np.sqrt(of_in / (ratio * t + 2) + 0.25 / ((1 - ratio) * t + 2)))

        return _least(lambda t: error(t, 0), self.bound), _least(
            lambda t: error(t, 0.25), self.bound
        )


@dataclass(frozen=True)
class Stable:
    """Two studies as large as this one would agree at least this well on what is memorized.

    Halves of the trials are compared at several sizes. The law of growth that is fitted to them
    predicts the agreement of whole studies; with too few sizes to fit one, the disagreement is
    taken to shrink as 1 / √t.

    Attributes:
        at: the agreement to reach.
        top: compare the share of so many most memorized examples that both have in common; None:
            the Jaccard index of those with memorization of at least ``THETA_MEM``.
    """

    at: float
    top: int | None = None

    def __str__(self) -> str:
        what = "memorized" if self.top is None else f"top-{self.top}"
        return f"{what} stable at {self.at:g}"

    def look(self, tally: "Tally") -> Verdict:
        """Ask the rule about some trials."""
        curve = tally.agreement(self.top)
        if curve is None:
            return Verdict(rule=str(self), value=None, met=False, expected=None)
        halves = float(curve.values[-1])
        if curve.law is None:
            curve = replace(curve, law=shrinking(int(curve.sizes[-1]), halves))
        whole = curve.expected(len(tally.trials))
        value = max(halves, whole or 0.0) if not np.isnan(halves) else np.nan
        needed = curve.needed(self.at)
        return Verdict(
            rule=str(self),
            value=value,
            met=bool(value >= self.at),
            expected=needed.trials if needed else None,
        )


Rule = SmallError | Stable


@dataclass(frozen=True)
class Condition:
    """Rules that must all be met."""

    rules: tuple[Rule, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.rules))


def parse(text: str) -> Condition:
    """Read a condition as the user writes it.

    Raises:
        StudyError: it is not one.
    """
    return Condition(tuple(_rule(part, text) for part in _AND.split(text.strip().lower())))


def _rule(part: str, text: str) -> Rule:
    if match := _SMALL.fullmatch(part):
        return SmallError(_share(match[1], text))
    if match := _STABLE.fullmatch(part):
        n = int(match[1]) if match[1] else None
        if n is None or n > 0:
            return Stable(_share(match[2], text), n)
    raise StudyError(
        f"--until '{text}': write se<=0.05, 'top-1000 stable at 0.9' or 'memorized stable at 0.9', "
        "or several joined by 'and'"
    )


def _share(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = np.nan
    if not 0 < value < 1:
        raise StudyError(f"--until '{text}': {number} is not a number between 0 and 1")
    return value


def check(conditions: Sequence[Condition], study: Study) -> None:
    """Raise StudyError if a rule makes no sense for a study."""
    if not isinstance(study.subsets, SubsetsTable):
        raise StudyError(f"--until: an experiment trained {study.id}, so it has no scores")
    n = study.dataset.n_train
    for rule in (rule for each in conditions for rule in each.rules):
        if isinstance(rule, Stable) and rule.top is not None and rule.top >= n:
            raise StudyError(
                f"--until '{rule}': there are {n:,} training examples; name fewer than all"
            )
        if isinstance(rule, SmallError) and rule.by_design(study.subsets.ratio)[0] is None:
            raise StudyError(f"--until '{rule}': that takes more than {MOST_TRIALS:,} models")


def errors(of: Counts) -> Floats:
    """The standard error of :class:`SmallError`, float64 [n]; 0 where there is no score."""
    _, variance = of.moderated(1)
    return np.where((of.n_in > 0) & (of.n_out > 0), np.sqrt(variance), 0)


class Tally:
    """Some trials of a study, counted once for all rules."""

    def __init__(self, trials: Trials, block: int) -> None:
        self.trials, self._block = trials, block
        self.counts = Counts.of(trials)
        self._scores: dict[int, list[tuple[Floats, Floats]]] | None = None

    def agreement(self, n_top: int | None) -> Curve | None:
        """Return how well halves agree on the memorized; None: there are too few trials."""
        if self._scores is None:
            self._scores = dict(self._halves())
        if not self._scores:
            return None
        sizes = np.array(sorted(self._scores), np.int64)
        splits = [[_agree(*pair, n_top) for pair in self._scores[size]] for size in sizes.tolist()]
        with np.errstate(invalid="ignore"):
            values, counts = np.moveaxis(np.array(splits).mean(axis=1), -1, 0)
        return shared(sizes, values, counts)

    def _halves(self) -> Iterator[tuple[int, list[tuple[Floats, Floats]]]]:
        """Yield scores of disjoint halves, ten splits of each size, from counts of groups."""
        block = self._block * ceil(_GROUP / self._block)
        group = block * ceil(len(self.trials) / block / _GROUPS)
        rows = whole_blocks(self.trials.trials, group)
        counted = [Counts.of(self.trials.taken(row)) for row in rows]
        names = ("in_correct", "n_in", "out_correct", "n_out")
        of = np.array([[getattr(each, name) for name in names] for each in counted], np.int64)
        size, fewest = len(rows) // 2, ceil(FIRST / group)
        while size >= max(1, fewest):
            pairs = []
            for split in range(_SPLITS):
                order = np.random.default_rng([size, split]).permutation(len(rows))
                sides = (of[order[:size]].sum(0), of[order[size : 2 * size]].sum(0))
                pairs.append(tuple(Counts(*side).estimate for side in sides))
            yield size * group, pairs  # type: ignore[misc]
            size //= 2


def _agree(one: Floats, other: Floats, n_top: int | None) -> tuple[float, float]:
    """Return how well two halves agree, and how many examples each selects."""
    known = ~(np.isnan(one) | np.isnan(other))
    if n_top is not None:
        enough = known.sum() >= n_top
        return (top(one[known], other[known], n_top) if enough else np.nan), n_top
    overlap = agreement(one, other, [THETA_MEM]).overlap
    return float(overlap.jaccard[0]), float((overlap.n_one + overlap.n_other)[0] / 2)


def _least(error: Callable[[float], float], bound: float) -> int | None:
    """Return the fewest trials with at most this error, which shrinks with them."""
    if error(MOST_TRIALS) > bound:
        return None
    low, high = 0, MOST_TRIALS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(middle) <= bound else (middle, high)
    return high
