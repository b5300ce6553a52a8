"""What turns features into the probability of being right: an additive model and boosted trees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.splines import curves

Floats = NDArray[np.float64]

_FEWEST_WRONG = 10
_CHUNK = 20_000
_SURE = 1e-5


class Blend:
    """The mean log-odds of a logistic regression on splines and of gradient-boosted trees.

    The one is smooth where there is little to learn from, the other sees how features depend on
    each other. Missing features have to be filled.
    """

    def __init__(self, x: Floats, y: NDArray[np.bool_], rng: np.random.Generator) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        wrong = int((~y).sum())
        self._rate = (len(y) - wrong + 0.5) / (len(y) + 1)
        self._models: list[Any] = []
        if min(wrong, len(y) - wrong) < _FEWEST_WRONG:
            return
        self._varies = x.std(axis=0) > 0
        additive = make_pipeline(curves(5), LogisticRegression(C=0.05, max_iter=300))
        trees = HistGradientBoostingClassifier(
            max_iter=100,
            learning_rate=0.06,
            max_leaf_nodes=8,
            min_samples_leaf=60,
            l2_regularization=5.0,
            max_features=0.4,
            early_stopping=False,
            random_state=int(rng.integers(2**31)),
        )
        self._models = [model.fit(x[:, self._varies], y) for model in (additive, trees)]

    def predict(self, x: Floats) -> Floats:
        """Return the probability of being right, float64 [n]."""
        if not self._models:
            return np.full(len(x), self._rate)
        found = np.empty(len(x))
        for start in range(0, len(x), _CHUNK):
            part = x[start : start + _CHUNK, self._varies]
            odds = [_log_odds(model.predict_proba(part)[:, 1]) for model in self._models]
            found[start : start + _CHUNK] = 1 / (1 + np.exp(-np.mean(odds, axis=0)))
        return found


def _log_odds(probability: Floats) -> Floats:
    p = np.clip(probability, _SURE, 1 - _SURE)
    found: Floats = np.log(p / (1 - p))
    return found
