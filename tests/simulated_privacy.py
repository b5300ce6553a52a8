"""Studies whose training is randomized response: private with an ε that is known.

A model says of each example whether it was a member, wrongly with probability 1 / (1 + e^ε), and
independently of all others. Replacing one example by another changes two memberships, and costs 2 ε.
"""

from math import exp

import numpy as np

from memtail_core.estimation.attacks.tiles import Models
from memtail_core.experiments.privacy.lower_bound import Claim
from memtail_core.plan import designs
from memtail_core.study import Study
from tests.plan.test_designs import study as study_of

PURE = Claim(delta=0.0)
_N = 200


def private_study(design: str, ratio: float = 0.7) -> Study:
    """A study of 200 examples."""
    made = study_of(n=_N, ratio=ratio, design=design)
    assert isinstance(made, Study)
    return made


def block_of(study: Study, trials: int) -> np.ndarray:
    """The block of each trial."""
    return np.arange(trials) // designs.block(study)


def respond(study: Study, trials: int, epsilon: float) -> Models:
    """Train, so to say: margins around 1 for who is said to be a member, around −1 for others."""
    rng = np.random.default_rng([study.seed, 7])
    subset = designs.subsets(study, range(trials))
    told = np.where(rng.random(subset.shape) < 1 / (1 + exp(-epsilon)), subset, ~subset)
    margin = np.where(told, 1.0, -1.0) + rng.normal(0, 0.05, subset.shape)
    return Models(margin.astype(np.float16), np.packbits(subset, axis=1))
