"""The models that predict whether a trial gets an example right, from its features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.splines import curves

Floats = NDArray[np.float64]

_FEWEST_WRONG = 10
_CHUNK = 20_000
_LEAST_P = 1e-5


class Learners:
    """A logistic regression on splines, and gradient-boosted trees.

    The regression is smooth where there are few data; the trees learn interactions. Missing
    features have to be filled.
    """

    MODELS = ("regression", "trees")

    def __init__(self, x: Floats, y: NDArray[np.bool_], rng: np.random.Generator) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        wrong = int((~y).sum())
        self._rate = (len(y) - wrong + 0.5) / (len(y) + 1)
        self._models: list[Any] = []
        self._varies = x.std(axis=0) > 0
        if min(wrong, len(y) - wrong) < _FEWEST_WRONG:
            return
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

    def log_odds(self, x: Floats) -> Floats:
        """Return the log-odds of being right by each of the two, float64 [n, 2]."""
        odds = np.full((len(x), len(self.MODELS)), _log_odds(self._rate))
        for start in range(0, len(x), _CHUNK):
            part = x[start : start + _CHUNK, self._varies]
            for j, model in enumerate(self._models):
                odds[start : start + _CHUNK, j] = _log_odds(model.predict_proba(part)[:, 1])
        return odds


def _log_odds(probability: Floats | float) -> Floats:
    p = np.clip(probability, _LEAST_P, 1 - _LEAST_P)
    odds: Floats = np.log(p / (1 - p))
    return odds
