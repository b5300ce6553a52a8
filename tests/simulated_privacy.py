"""Studies whose training is randomized response: private with an ε that is known.

A model says of each example whether it was a member, wrongly with probability 1 / (1 + e^ε), and
independently of all others. Replacing one example by another changes two memberships: it costs 2 ε.
"""

from math import exp

import numpy as np

from memtail_core.estimation.attacks.tiles import Models
from memtail_core.estimation.membership import Attacks
from memtail_core.experiments.privacy.lower_bound import Claim, study_bound
from memtail_core.experiments.privacy.strength import Run, counted, curves
from memtail_core.plan import designs
from memtail_core.study import Study
from tests.plan.test_designs import study as study_of

PURE = Claim(delta=0.0)
_N = 200


def private_study(design: str, ratio: float = 0.7) -> Study:
    """A study of 200 examples."""
    return study_of(n=_N, ratio=ratio, design=design)


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


def known_bounds(study: Study, epsilon: float, trials: int, replications: int) -> np.ndarray:
    """Bounds on the ε of so many studies, float64; the true one is 2 ``epsilon``."""
    found = []
    for seed in range(replications):
        each = study.model_copy(update={"seed": seed})
        models = respond(each, trials, epsilon)
        made, reason = study_bound(each, models, block_of(each, trials), PURE)
        assert made is not None, reason
        found.append(made.bound)
    return np.array(found)


def strict_intervals(trials: int, replications: int) -> dict[float, np.ndarray]:
    """Detection and its interval in so many studies, [replications, 3], by false-positive rate.

    Half of 400 examples leave margins 3 deviations higher in models that trained on them. Models
    differ: one in five tells less.
    """
    found: dict[float, list[tuple[float, float, float]]] = {}
    for seed in range(replications):
        rng = np.random.default_rng([seed, 8])
        subset = rng.random((trials, 400)) < 0.6
        jump = np.repeat([0.0, 3.0], 200) * np.where(rng.random(trials) < 0.2, 0.5, 1.0)[:, None]
        margin = rng.normal(jump * subset, 1).astype(np.float16)
        models = Models(margin, np.packbits(subset, axis=1))
        run = Run(Attacks.of(models), np.arange(trials))
        rocs = curves([run])
        for each in counted([run], rocs, trials)["likelihood ratio"].strict():
            found.setdefault(each.fpr, []).append((each.tpr, each.low, each.high))
    return {fpr: np.array(each) for fpr, each in found.items()}
