"""Influence from few trials: pairs are foretold from one half of the trials for the other.

1. Deal the trials into halves. From one: each pair's difference of mean probabilities and of bits,
   what the test example is like, what the training example is like, how alike they are. Learn from
   these features the difference in the other half, in both directions.
2. Predict with all trials' features; pairs of each test example by a model that learned from
   others.
3. A difference of probabilities is none of correctness: predictions are multiplied by the factor c
   with the least squares to the differences of bits in halves they have not seen.
4. Draw the prediction to the paper's estimate, as far as halves say that this errs less; by ranges
   of the prediction.
5. No estimate leaves the paper's by more of its standard errors than chance takes one pair among
   so many (limited translation; Efron & Morris 1971): with many trials it is the paper's. Two
   would not do, as for examples: of a million pairs 23,000 stand out as much by chance.

docs/calibration.md has what was measured.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibration.differences import differences, differences_of_bits

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Indices = NDArray[np.integer]

_FOLDS = 3
_MOST_ROWS = 300_000  # of pairs that teach, in each direction
_FEWEST_ROWS = 1000
_FEWEST_TRIALS = 4  # two in each half
_SMALL = 0.02  # probability, beside the spread that a difference is measured in
_EDGES = (0.01, 0.02, 0.05, 0.1, 0.2)  # of predictions, between ranges that are drawn differently
_FIRM = 1.0  # squares of differences as many as this say that nothing is to be added

BYTES_A_PAIR = 250
"""What ``calibrated_influence`` takes at most, indices and answers included."""


@dataclass(frozen=True, eq=False)
class CalibratedPairs:
    """Estimates for P pairs.

    Attributes:
        influence: float64 [P], missing nowhere.
        prediction: float64 [P], by what the features say alone; 0 where nothing could be learned.
        unbiased: float64 [P], the paper's estimate; NaN if no trial held the training example in,
            or none out.
        standard_error: float64 [P], of ``unbiased``.
    """

    influence: Floats
    prediction: Floats
    unbiased: Floats
    standard_error: Floats


def calibrated_influence(
    inside: NDArray[np.bool_],
    correct: NDArray[np.bool_],
    train: Indices,
    test: Indices,
    *,
    margin: NDArray[np.floating] | None = None,
    memorization: Floats,
    accuracy_out: Floats,
    likeness: NDArray[np.float32],
    rank: NDArray[np.float32] | None = None,
    seed: int = 0,
) -> CalibratedPairs:
    """Estimate the influence of chosen training examples on chosen test examples.

    The same trials in another order give the same bits.

    Args:
        inside: bool [T, n], which examples each trial trained on.
        correct: bool [T, n_test], which test examples it got right.
        train, test: int [P], the pairs; quickest where neighbours in the list share examples.
        margin: float [T, n_test], log p_y − log(1 − p_y), where the recipe gives it.
        memorization, accuracy_out: float64 [n], of the training examples.
        likeness: float32 [P], how alike the two inputs are.
        rank: float32 [P], how many training examples are more like the test example; by default
            among those of ``train`` that it is paired with.
        seed: deals the trials into halves and the test examples into folds.
    """
    rng = np.random.default_rng(seed)
    both = np.packbits(np.hstack([inside, correct]), axis=1)
    order = np.lexsort(both.T[::-1])
    inside, correct = inside[order], correct[order]
    values = correct if margin is None else _probability(margin[order])
    known = (
        memorization[train],
        accuracy_out[train],
        likeness,
        _rank(test, likeness) if rank is None else rank,
    )
    n_test = correct.shape[1]
    fold = rng.permutation(np.arange(n_test) % _FOLDS)[test]

    def features(rows: NDArray[np.intp], some: NDArray[np.intp] | slice) -> Features:
        pairs = train[some], test[some]
        beside = [column[some] for column in known]
        return _features(inside[rows], correct[rows], values[rows], *pairs, beside)

    def taught() -> list[_Lesson]:
        dealt = np.array_split(rng.permutation(len(inside)), 2)
        found = []
        for mine, theirs in (dealt, dealt[::-1]):
            some = np.arange(len(train))
            if len(some) > _MOST_ROWS:
                some = np.sort(rng.choice(some, _MOST_ROWS, replace=False))
            pairs = train[some], test[some]
            soft = differences(inside[theirs], values[theirs], *pairs)
            bits = differences(inside[theirs], correct[theirs], *pairs)
            found.append(_Lesson(features(mine, some), soft, bits, fold[some]).known())
        return found

    unbiased = differences_of_bits(inside, correct, train, test)
    prediction, weight = np.zeros(len(train)), np.zeros(len(train))
    if len(inside) >= _FEWEST_TRIALS:
        lesson = _Lesson(*(np.concatenate(parts) for parts in zip(*taught(), strict=True)))
        if len(lesson.soft) >= _FEWEST_ROWS:
            asked = features(np.arange(len(inside)), slice(None))
            prediction, weight = _foretold(lesson, asked, fold, rng)
    reach = _farthest(len(train)) * unbiased.reach.astype(np.float64)
    mean = unbiased.mean.astype(np.float64)
    drawn = prediction + weight * (mean - prediction)
    limited = np.clip(drawn, mean - reach, mean + reach)
    return CalibratedPairs(
        influence=np.clip(np.where(np.isnan(mean), prediction, limited), -1, 1),
        prediction=prediction,
        unbiased=mean,
        standard_error=unbiased.standard_error.astype(np.float64),
    )


def _farthest(n_pairs: int) -> float:
    """The standard errors that half a pair in so many exceeds by chance, on each side."""
    from scipy.special import ndtri

    return float(-ndtri(0.5 / max(n_pairs, 1)))


class _Lesson(NamedTuple):
    """Features of one half [K, d], the other half's differences [K], and the folds [K]."""

    features: Features
    soft: NDArray[np.float32]
    bits: NDArray[np.float32]
    fold: NDArray[np.int64]

    def known(self) -> "_Lesson":
        """Leave out pairs of which the other half says nothing."""
        there = np.isfinite(self.soft)
        return _Lesson(*(part[there] for part in self))


def _foretold(
    lesson: _Lesson, asked: Features, fold: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Predict differences of bits, and say how much the counted ones add, float64 [P] each."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    prediction, unseen = np.zeros(len(asked)), np.zeros(len(lesson.soft))
    is_there = np.isfinite(lesson.features).any(axis=0)
    seen, asked = lesson.features[:, is_there], asked[:, is_there]
    for f in range(_FOLDS):
        others, own = lesson.fold != f, fold == f
        if not others.any():
            continue
        model = HistGradientBoostingRegressor(
            max_iter=120,
            learning_rate=0.06,
            min_samples_leaf=min(400, max(20, int(others.sum()) // 1000)),
            l2_regularization=10.0,
            early_stopping=False,
            random_state=int(rng.integers(2**31)),
        )
        model.fit(seen[others], lesson.soft[others])
        for answer, rows, questions in (
            (prediction, own, asked),
            (unseen, ~others, seen),
        ):
            if rows.any():
                answer[rows] = model.predict(questions[rows])
    squares = float((unseen**2).sum())
    factor = float((unseen * lesson.bits).sum()) / squares if squares > 0 else 0.0
    scaled = max(factor, 0.0) * unseen
    full = max(factor, 0.0) * prediction
    weight = _weight(scaled, lesson.features[:, 0], lesson.bits)
    return full, weight[np.digitize(full, _EDGES)]


def _weight(prediction: Floats, counted: Features, bits: Features) -> Floats:
    """The share of the unbiased estimate, by ranges of the prediction, float64 [6].

    In halves it is the slope of bits − prediction on counted − prediction, of which the first has
    not seen the second. All trials have twice as many: w → 2 w / (1 + w).
    """
    known = np.isfinite(counted)
    region = np.digitize(prediction, _EDGES)
    found = np.zeros(len(_EDGES) + 1)
    for r in range(len(found)):
        own = known & (region == r)
        x = counted[own].astype(np.float64) - prediction[own]
        y = bits[own].astype(np.float64) - prediction[own]
        slope = float((x * y).sum() / ((x**2).sum() + _FIRM))
        w = min(max(slope, 0.0), 1.0)
        found[r] = 2 * w / (1 + w)
    return found


def _features(
    inside: NDArray[np.bool_],
    correct: NDArray[np.bool_],
    values: NDArray[np.generic],
    train: Indices,
    test: Indices,
    beside: list[NDArray[np.floating]],
) -> Features:
    """What is known of pairs from these trials, float32 [P, d]; NaN where nothing is."""
    soft = differences(inside, values, train, test)
    mean = values.mean(axis=0, dtype=np.float64)
    spread = values.std(axis=0, dtype=np.float64)
    n_in = inside.sum(axis=0)
    with np.errstate(divide="ignore"):
        each = np.sqrt(1 / n_in + 1 / (len(inside) - n_in))
    z = soft / ((spread + _SMALL)[test] * each[train])
    own = [soft, z, mean[test], spread[test]]
    if values is not correct:
        own.insert(0, differences(inside, correct, train, test))
    found = np.empty((len(train), len(own) + len(beside)), np.float32)
    for column, each in enumerate([*own, *beside]):
        found[:, column] = each
    return found


def _rank(test: Indices, likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many others of its test example's pairs are more alike, float32 [P]."""
    order = np.lexsort((-likeness, test))
    ordered = test[order]
    first = np.searchsorted(ordered, ordered)
    found = np.empty(len(test), np.float32)
    found[order] = np.arange(len(test)) - first
    return found


def _probability(margin: NDArray[np.floating]) -> NDArray[np.float32]:
    from scipy.special import expit

    found: NDArray[np.float32] = expit(margin.astype(np.float32))
    return found
