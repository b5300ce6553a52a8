"""Trials of which the truth is known: margins are drawn around means that depend on a place."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.neighbors import NearestNeighbors

from memtail_core.estimation import memorization
from memtail_core.estimation.calibrated import CalibratedMemorization, calibrated_memorization
from memtail_core.plan import designs
from tests.plan.test_designs import study


@dataclass(frozen=True, eq=False)
class Simulated:
    """T trials on n examples, and the probabilities they were drawn with."""

    inside: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    margin: NDArray[np.float64]
    label: NDArray[np.int64]
    neighbours: tuple[NDArray[np.int64], NDArray[np.float64]]
    extra_features: NDArray[np.float64]
    truth: NDArray[np.float64]

    def estimate(self, **changed: Any) -> CalibratedMemorization:
        given = {
            "margin": self.margin,
            "neighbours": self.neighbours,
            "extra_features": self.extra_features,
        }
        return calibrated_memorization(self.inside, self.correct, self.label, **(given | changed))

    def plain(self) -> NDArray[np.float64]:
        """The paper's estimate; the mean for what was never held out."""
        found = memorization(
            np.packbits(self.inside, axis=1), np.packbits(self.correct, axis=1), len(self.label)
        ).memorization
        return np.where(np.isnan(found), np.nanmean(found), found)

    def error(self, estimate: NDArray[np.float64]) -> float:
        return float(np.sqrt(((estimate - self.truth) ** 2).mean()))

    def reordered(self, order: NDArray[np.intp]) -> "Simulated":
        return replace(
            self,
            inside=self.inside[order],
            correct=self.correct[order],
            margin=self.margin[order],
        )


def simulated(n_trials: int, n: int = 1500, seed: int = 0) -> Simulated:
    """A third of the examples is hard: how hard depends on the place, and on the example itself."""
    rng = np.random.default_rng([seed, n_trials])
    place = rng.random((n, 2))
    hard = 4 * np.sin(6 * place[:, 0]) * np.sin(6 * place[:, 1]) + 2.5 + rng.normal(0, 1.2, n)
    easy = 1.0 + np.maximum(hard, -2) + rng.normal(3, 0.5, n)
    inside = designs.subsets(study(n, 0.7, "balanced"), range(n_trials))
    margin = np.where(inside, easy, hard) + rng.normal(0, 1, (n_trials, n))
    distance, index = NearestNeighbors(n_neighbors=21).fit(place).kneighbors(place)
    return Simulated(
        inside,
        margin > 0,
        margin,
        rng.integers(4, size=n),
        (index[:, 1:], distance[:, 1:]),
        (hard + rng.normal(0, 2, n))[:, None],
        ndtr(easy) - ndtr(hard),
    )
