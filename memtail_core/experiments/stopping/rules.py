"""When a study has enough trials: rules a user writes, looked at as trials come.

    se<=0.05                   the largest standard error of any example's memorization
    top-1000 stable at 0.9     two studies as large would share 90% of their 1,000 most memorized
    memorized stable at 0.9    … would agree on what has memorization ≥ 0.25 (Jaccard)
    … and …                    all of them

Looks are at numbers of trials that grow by a tenth, so that all looks together cost what eleven of
the last do, and at most a tenth of the trials are more than enough.

What looking does to intervals. That an example's own results have a say in when to stop could spoil
its interval: a study stops when errors are small, and errors look smallest when they are
underestimated. Without that say, an interval at a random time is an interval: the time is then
independent of what the interval is made of. So each example i has its own time Nᵢ, the first look
at which all *other* examples' errors are small enough, and its interval is the hull of the one at
Nᵢ, which holds as often as it says, and of the one at the end. Nᵢ is before the end only for an
example that kept the study going alone; for all others nothing changes. Sets of many examples do
not hang on one. ``tests/experiments/test_stopping.py`` simulates both.
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
from memtail_core.estimation import Memorization
from memtail_core.estimation.agreement import agreement, top
from memtail_core.estimation.growth import Curve, shared, shrinking
from memtail_core.estimation.intervals import agresti_caffo
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.running.trials import Trials
from memtail_core.study import MOST_TRIALS, Study, SubsetsTable

Floats = NDArray[np.float64]

_FIRST, _GROWTH = 20, 1.1  # trials at the first look; how much later the next is
_GROUPS, _GROUP = 64, 10  # whole blocks are counted together: at most so many groups; least trials
_SPLITS = 10  # into halves
_AND = re.compile(r"\s+and\s+")
_SMALL = re.compile(r"se\s*(?:<=|≤|<)\s*(\S+)")
_STABLE = re.compile(r"(?:top-([0-9]+)|memorized)\s+stable\s+at\s+(\S+)")


@dataclass(frozen=True)
class Seen:
    """What a rule says of some trials.

    Attributes:
        value: of what the rule bounds; NaN where nothing can be said yet.
        met: whether that is enough.
        expected: how many trials it is expected to take in all; None: not known yet, or never.
    """

    value: float
    met: bool
    expected: int | None


@dataclass(frozen=True)
class SmallError:
    """The largest standard error of any example that has a score is at most ``bound``.

    It is √(p̃_in q̃_in / (n_in + 2) + p̃_out q̃_out / (n_out + 2)) with p̃ = (k + 1) / (n + 2), the
    one within the 95% interval of Agresti & Caffo: where all trials agree it is not 0. An example
    without a score is not waited for.
    """

    bound: float

    def __str__(self) -> str:
        return f"se<={self.bound:g}"

    def look(self, tally: "Tally") -> Seen:
        """Look."""
        largest = float(errors(tally.counts).max(initial=0))
        if not largest:
            return Seen(np.nan, False, None)
        needed = self._needed(tally.counts, len(tally.trials))
        return Seen(largest, largest <= self.bound, needed)

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
        """Say how many trials it takes where p_in = 1 and p_out = ½, and where both are ½."""

        def error(t: float, of_in: float) -> float:
            return float(np.sqrt(of_in / (ratio * t + 2) + 0.25 / ((1 - ratio) * t + 2)))

        return _least(lambda t: error(t, 0), self.bound), _least(
            lambda t: error(t, 0.25), self.bound
        )


@dataclass(frozen=True)
class Stable:
    """Two studies as large as this one would agree at least this well on what is memorized.

    Halves of the trials are compared, at several sizes, and the law of growth fitted to them says
    what whole studies would give; with too few sizes to fit one, what is missing shrinks as 1 / √t.

    Attributes:
        at: the agreement asked for.
        top: which share of so many most memorized they have in common; None: Jaccard index of
            those with memorization of at least ``THETA_MEM``.
    """

    at: float
    top: int | None = None

    def __str__(self) -> str:
        what = "memorized" if self.top is None else f"top-{self.top}"
        return f"{what} stable at {self.at:g}"

    def look(self, tally: "Tally") -> Seen:
        """Look."""
        curve = tally.agreement(self.top)
        if curve is None:
            return Seen(np.nan, False, None)
        halves = float(curve.values[-1])
        if curve.law is None:
            curve = replace(curve, law=shrinking(int(curve.sizes[-1]), halves))
        whole = curve.expected(len(tally.trials))
        value = max(halves, whole or 0.0) if not np.isnan(halves) else np.nan
        needed = curve.needed(self.at)
        return Seen(value, bool(value >= self.at), needed.trials if needed else None)


Rule = SmallError | Stable


@dataclass(frozen=True)
class Condition:
    """Rules all of which have to be met."""

    rules: tuple[Rule, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.rules))


def parse(text: str) -> Condition:
    """Read what a user wrote; see the module.

    Raises:
        StudyError: it is none of that.
    """
    return Condition(tuple(_rule(part, text) for part in _AND.split(text.strip().lower())))


def _rule(part: str, text: str) -> Rule:
    if found := _SMALL.fullmatch(part):
        return SmallError(_share(found[1], text))
    if found := _STABLE.fullmatch(part):
        n = int(found[1]) if found[1] else None
        if n is None or n > 0:
            return Stable(_share(found[2], text), n)
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
        raise StudyError(f"--until '{text}': {number} is no number between 0 and 1")
    return value


def check(conditions: Sequence[Condition], study: Study) -> None:
    """Raise StudyError if a rule cannot be asked of a study."""
    if not isinstance(study.subsets, SubsetsTable):
        raise StudyError(f"--until: {study.id} is an experiment's study and has no scores")
    n = study.dataset.n_train
    for rule in (rule for each in conditions for rule in each.rules):
        if isinstance(rule, Stable) and rule.top is not None and rule.top >= n:
            raise StudyError(
                f"--until '{rule}': there are {n:,} training examples; name fewer than all"
            )
        if isinstance(rule, SmallError) and rule.by_design(study.subsets.ratio)[0] is None:
            raise StudyError(f"--until '{rule}': that takes more than {MOST_TRIALS:,} models")


def looks(shard_size: int) -> Iterator[int]:
    """Yield after how many trials it is looked: whole shards, each a tenth more than the last."""
    n = shard_size * ceil(_FIRST / shard_size)
    while True:
        yield n
        n = max(n + shard_size, shard_size * ceil(n * _GROWTH / shard_size - 1e-9))


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
        """How halves agree on the most, or on all, memorized; None: there are too few trials."""
        if self._scores is None:
            self._scores = dict(self._halves())
        if not self._scores:
            return None
        sizes = np.array(sorted(self._scores), np.int64)
        found = [[_agree(*pair, n_top) for pair in self._scores[size]] for size in sizes.tolist()]
        with np.errstate(invalid="ignore"):
            values, counts = np.moveaxis(np.array(found).mean(axis=1), -1, 0)
        return shared(sizes, values, counts)

    def _halves(self) -> Iterator[tuple[int, list[tuple[Floats, Floats]]]]:
        """Yield scores of disjoint halves, ten splits of each size, from counts of groups."""
        block = self._block * ceil(_GROUP / self._block)
        group = block * ceil(len(self.trials) / block / _GROUPS)
        rows = whole_blocks(self.trials.trials, group)
        counted = [Counts.of(self.trials.taken(row)) for row in rows]
        names = ("in_correct", "n_in", "out_correct", "n_out")
        of = np.array([[getattr(each, name) for name in names] for each in counted], np.int64)
        size, fewest = len(rows) // 2, ceil(_FIRST / group)
        while size >= max(1, fewest):
            pairs = []
            for split in range(_SPLITS):
                order = np.random.default_rng([size, split]).permutation(len(rows))
                sides = (of[order[:size]].sum(0), of[order[size : 2 * size]].sum(0))
                pairs.append(tuple(Counts(*side).estimate for side in sides))
            yield size * group, pairs  # type: ignore[misc]
            size //= 2


def _agree(one: Floats, other: Floats, n_top: int | None) -> tuple[float, float]:
    """Return how two halves agree, and how many each selects."""
    known = ~(np.isnan(one) | np.isnan(other))
    if n_top is not None:
        enough = known.sum() >= n_top
        return (top(one[known], other[known], n_top) if enough else np.nan), n_top
    overlap = agreement(one, other, [THETA_MEM]).overlap
    return float(overlap.jaccard[0]), float((overlap.n_one + overlap.n_other)[0] / 2)


@dataclass(frozen=True)
class Decided:
    """An example that kept a study going alone.

    Attributes:
        index: in the training set.
        trials: after how many the errors of all others were small enough.
    """

    index: int
    trials: int


def decided(trials: Trials, rules: Sequence[Rule], shard_size: int) -> list[Decided]:
    """Find the examples that alone kept an error from being small enough, at any look."""
    found: dict[int, int] = {}
    bounds = [rule.bound for rule in rules if isinstance(rule, SmallError)]
    if not bounds:
        return []
    of, before = None, 0
    n_first = int((trials.trials == np.arange(len(trials))).sum())  # up to the first gap
    for look in looks(shard_size):
        if look > n_first:
            break
        more = Counts.of(trials.taken(np.arange(before, look)))
        of, before = more if of is None else of.plus(more), look
        for bound in bounds:
            above = np.flatnonzero(errors(of) > bound)
            if len(above) == 1:
                found.setdefault(int(above[0]), look)
    return [Decided(index, look) for index, look in found.items() if look < len(trials)]


def widened(scores: Memorization, trials: Trials, some: Sequence[Decided]) -> Memorization:
    """Return scores with the intervals of such examples as the module says."""
    low, high = scores.ci_low.copy(), scores.ci_high.copy()
    for each in some:
        of = Counts.of(trials.taken(np.arange(each.trials))).where(np.array([each.index]))
        before = agresti_caffo(of.in_correct, of.n_in, of.out_correct, of.n_out)
        low[each.index] = min(low[each.index], before[0][0])
        high[each.index] = max(high[each.index], before[1][0])
    return replace(scores, ci_low=low, ci_high=high)


def _least(error: Callable[[float], float], bound: float) -> int | None:
    """The fewest trials with at most this error, which shrinks with them."""
    if error(MOST_TRIALS) > bound:
        return None
    low, high = 0, MOST_TRIALS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(middle) <= bound else (middle, high)
    return high
