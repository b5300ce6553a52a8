"""Halves of the trials, and what they teach of pairs: trees, cross-fitted over test examples."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Features = NDArray[np.float32]

FOLDS = 3

_EDGES = (0.01, 0.02, 0.05, 0.1, 0.2)  # of predictions, between ranges that are drawn differently
_FIRM = 1.0  # squares of differences as many as this say that nothing is to be added


class Lesson(NamedTuple):
    """What one half of the trials shows of K pairs, and the other half makes of them.

    Attributes:
        features: float32 [K, d], of the one; the first column is the difference of bits.
        soft, bits: float32 [K], the other's differences of probabilities and of bits.
        fold: int64 [K], of the pairs' test examples.
    """

    features: Features
    soft: NDArray[np.float32]
    bits: NDArray[np.float32]
    fold: NDArray[np.int64]

    def with_known(self, other: "Lesson") -> "Lesson":
        """Join two, without pairs of which the other half says nothing."""
        here, there = np.isfinite(self.soft), np.isfinite(other.soft)
        return Lesson(
            np.concatenate([self.features[here], other.features[there]]),
            np.concatenate([self.soft[here], other.soft[there]]),
            np.concatenate([self.bits[here], other.bits[there]]),
            np.concatenate([self.fold[here], other.fold[there]]),
        )


def foretold(
    lesson: Lesson, asked: Features, fold: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Predict differences of bits, and say how much the counted ones add, float64 [P] each."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    prediction, unseen = np.zeros(len(asked)), np.zeros(len(lesson.soft))
    is_there = np.isfinite(lesson.features).any(axis=0)
    seen, asked = lesson.features[:, is_there], asked[:, is_there]
    for f in range(FOLDS):
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
