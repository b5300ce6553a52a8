"""Labels of which it is known which are wrong, and what two machines make of them."""

import numpy as np
from scipy.special import softmax

from memtail_core.estimation.label_noise import LabelNoise
from memtail_core.estimation.mislabeling import mislabeling

CLASSES = 5


class World:
    """Labels of which a share is replaced at random, and two machines that see the inputs.

    How hard an example is decides on both: they err together, as networks and kernel machines do.
    """

    def __init__(self, rate: float, n: int = 4000, judges: int = 30, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.right = rng.integers(CLASSES, size=n)
        truth = np.eye(CLASSES)[self.right]
        ease = rng.gamma(2.0, 2.0, n)[:, None]
        seen = ease * truth + rng.normal(size=(n, CLASSES))
        self.is_wrong = rng.random(n) < rate
        moved = (self.right + rng.integers(1, CLASSES, n)) % CLASSES
        self.labels = np.where(self.is_wrong, moved, self.right)
        of_networks = softmax(seen + 0.7 * rng.normal(size=(n, CLASSES)), axis=1)
        self.p = of_networks[np.arange(n), self.labels]
        self.judges = np.full(n, judges)
        self._rng = rng
        self.scores = np.tanh((seen + 0.7 * rng.normal(size=(n, CLASSES))) / 4)

    def draw(self, judges: int) -> None:
        """Let fewer networks judge, which differ as bits do."""
        self.judges[:] = judges
        self.p = self._rng.beta(judges * self.p + 1e-2, judges * (1 - self.p) + 1e-2)

    def found(self, seed: int = 0) -> LabelNoise:
        return mislabeling(self.p, self.judges, self.scores, self.labels, seed)
