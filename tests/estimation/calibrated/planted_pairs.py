"""Trials in which test examples rest on the training example most like them, if it is near."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from memtail_core.estimation.calibrated import CalibratedPairs, calibrated_influence


@dataclass(frozen=True, eq=False)
class Planted:
    """T trials, all pairs of n training and n_test test examples, and their influence."""

    inside: NDArray[np.bool_]
    margin: NDArray[np.float64]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    likeness: NDArray[np.float32]
    memorization: NDArray[np.float64]
    truth: NDArray[np.float64]

    def estimate(self, **changed: Any) -> CalibratedPairs:
        given = {
            "margin": self.margin,
            "memorization": self.memorization,
            "accuracy_out": 1 - self.memorization,
            "likeness": self.likeness,
        }
        pairs = self.train, self.test
        return calibrated_influence(self.inside, self.margin > 0, *pairs, **(given | changed))

    def reordered(self, order: NDArray[np.intp]) -> "Planted":
        return replace(self, inside=self.inside[order], margin=self.margin[order])

    def counted(self) -> NDArray[np.float64]:
        """Influence by the definition, pair by pair of columns."""
        correct = self.margin > 0
        found = np.full((self.inside.shape[1], correct.shape[1]), np.nan)
        for i, held_in in enumerate(self.inside.T):
            if held_in.any() and not held_in.all():
                found[i] = correct[held_in].mean(axis=0) - correct[~held_in].mean(axis=0)
        return found[self.train, self.test]


def planted(n_trials: int, effect: float = 2.0, seed: int = 0) -> Planted:
    """A test example's margin rises by ``effect`` with the nearest training example, if near."""
    rng = np.random.default_rng([seed, n_trials])
    n, n_test = 60, 400
    place, asked = rng.random((n, 2)), rng.random((n_test, 2))
    distance = np.linalg.norm(place[:, None] - asked[None], axis=2)
    rests = (distance < 0.06) & (distance == distance.min(axis=0))
    middle = rng.normal(0.5, 1.5, n_test)
    inside = rng.random((n_trials, n)) < 0.7
    rises = effect * rests.any(axis=0)
    mean = middle + effect * (inside @ rests) - 0.7 * rises
    i, j = (part.ravel() for part in np.indices((n, n_test)))
    truth = (ndtr(middle + 0.3 * rises) - ndtr(middle - 0.7 * rises)) * rests
    return Planted(
        inside,
        mean + rng.normal(0, 1, (n_trials, n_test)),
        i,
        j,
        -distance[i, j].astype(np.float32),
        rng.uniform(0.25, 0.8, n),
        truth[i, j],
    )
