"""Predict pairs out of fold: train on one half of the trials against the other half."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Features = NDArray[np.float32]

FOLDS = 3

_EDGES = (0.01, 0.02, 0.05, 0.1, 0.2)  # of predictions, between ranges with their own weight
_RIDGE = 1.0  # of the slope: so much of squared differences pulls it to 0


class HalfOutcomes(NamedTuple):
    """Features of K pairs from one half of the trials, and their outcomes in the other half.

    Attributes:
        features: float32 [K, d], of the one half; the first column is the difference of bits.
        soft, bits: float32 [K], the other half's differences of probabilities and of bits.
        fold: int64 [K], of the pairs' test examples.
    """

    features: Features
    soft: NDArray[np.float32]
    bits: NDArray[np.float32]
    fold: NDArray[np.int64]

    def with_known(self, other: "HalfOutcomes") -> "HalfOutcomes":
        """Join two, without pairs that have no outcome."""
        here, there = np.isfinite(self.soft), np.isfinite(other.soft)
        return HalfOutcomes(
            np.concatenate([self.features[here], other.features[there]]),
            np.concatenate([self.soft[here], other.soft[there]]),
            np.concatenate([self.bits[here], other.bits[there]]),
            np.concatenate([self.fold[here], other.fold[there]]),
        )


def predict_out_of_fold(
    outcomes: HalfOutcomes, features: Features, fold: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Predict differences of bits, and the weight of the counted ones, float64 [P] each."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    prediction, out_of_fold = np.zeros(len(features)), np.zeros(len(outcomes.soft))
    is_there = np.isfinite(outcomes.features).any(axis=0)
    x, features = outcomes.features[:, is_there], features[:, is_there]
    for f in range(FOLDS):
        others, own = outcomes.fold != f, fold == f
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
        model.fit(x[others], outcomes.soft[others])
        for answer, rows, inputs in (
            (prediction, own, features),
            (out_of_fold, ~others, x),
        ):
            if rows.any():
                answer[rows] = model.predict(inputs[rows])
    squares = float((out_of_fold**2).sum())
    factor = float((out_of_fold * outcomes.bits).sum()) / squares if squares > 0 else 0.0
    scaled = max(factor, 0.0) * out_of_fold
    full = max(factor, 0.0) * prediction
    weight = _weight(scaled, outcomes.features[:, 0], outcomes.bits)
    return full, weight[np.digitize(full, _EDGES)]


def _weight(prediction: Floats, counted: Features, bits: Features) -> Floats:
    """The weight of the unbiased estimate, by ranges of the prediction, float64 [6].

    Between halves it is the slope of bits − prediction on counted − prediction, as bits and counts
    come from different trials. All trials are twice as many as a half: w → 2 w / (1 + w).
    """
    known = np.isfinite(counted)
    region = np.digitize(prediction, _EDGES)
    weights = np.zeros(len(_EDGES) + 1)
    for r in range(len(weights)):
        own = known & (region == r)
        x = counted[own].astype(np.float64) - prediction[own]
        y = bits[own].astype(np.float64) - prediction[own]
        slope = float((x * y).sum() / ((x**2).sum() + _RIDGE))
        w = min(max(slope, 0.0), 1.0)
        weights[r] = 2 * w / (1 + w)
    return weights
