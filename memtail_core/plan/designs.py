"""Which training examples each trial sees: a pure function of (study, trial).

Two designs, both with every single trial's subset a uniformly random m-subset of the n examples,
as the estimator asks (Feldman & Zhang 2020, section 2):

- ``independent``: each trial draws its own, the paper's design. How often an example is held out
  is then binomial, and with few trials some examples never are.
- ``balanced``: trials come in blocks in which every example is held out equally often (or, where
  block × m / n is no integer, one time more or less). The same estimator, fewer missing and
  noisier examples.

A targeted study draws from its candidates alone: n is their number, and every other training
example is in every subset.

And one of experiments, which retrain without certain examples:

- ``arms``: trial t trains on what arm t mod A leaves in, so that trials t of one t // A are a
  repeat of all arms. The trials of a repeat start from the same weights, which makes their
  differences smaller; those of ``unpaired-arms`` start from their own.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from memtail_core.plan.arms import Arms
from memtail_core.study import ArmsTable, Study

# One independent random stream per purpose. Arms have their own, so that their models do not depend
# on the models by which the examples were chosen.
_SUBSETS, _TRAINING, _ARM_SUBSETS, _ARM_TRAINING, _WHOLE, _TESTS = range(6)
_SMALLEST_BLOCK = 10


def subsets(study: Study, trials: range, arms: Arms | None = None) -> NDArray[np.bool_]:
    """Return the subsets of ``trials``, bool [K, n]: row k is True where trial k trains.

    Args:
        study: which.
        trials: which.
        arms: of an experiment's study, and only of one.
    """
    plan = study.subsets
    if isinstance(plan, ArmsTable):
        if arms is None or arms.sha256 != plan.sha256:
            raise ValueError(f"{study.id} needs its own arms")
        streams = ((t % plan.count, _sequence(study.seed, _ARM_SUBSETS, t)) for t in trials)
        return np.stack([arms.subset(arm, np.random.default_rng(each)) for arm, each in streams])
    always = study.dataset.n_train - len(study.candidates)
    n, m = len(study.candidates), study.subset_size - always
    if plan.design == "independent":
        rows = [_independent(n, m, study.seed, trial) for trial in trials]
    else:
        size = block_size(plan.ratio)
        rows = [_block(n, m, size, study.seed, t // size)[t % size] for t in trials]
    if not always:
        return np.stack(rows)
    subset = np.ones((len(trials), study.dataset.n_train), np.bool_)
    subset[:, study.candidates] = rows
    return subset


def block(study: Study) -> int:
    """Return how many trials were drawn together; those of different blocks are independent."""
    if isinstance(study.subsets, ArmsTable):
        return study.subsets.count
    return block_size(study.subsets.ratio) if study.subsets.design == "balanced" else 1


def training_seeds(study: Study, trials: range) -> NDArray[np.int64]:
    """Return one seed per trial, int64 [K] ≥ 0: initialisation, batch order, augmentation."""
    plan = study.subsets
    if isinstance(plan, ArmsTable):
        shared = plan.count if plan.design == "arms" else 1
        sequences = [_sequence(study.seed, _ARM_TRAINING, t // shared) for t in trials]
    else:
        sequences = [_sequence(study.seed, _TRAINING, t) for t in trials]
    words = [sequence.generate_state(1, np.uint64)[0] for sequence in sequences]
    return (np.array(words, dtype=np.uint64) >> np.uint64(1)).astype(np.int64)


def whole_seed(study: Study, number: int = 0) -> int:
    """Return the seed of a network that is trained on all examples; experiments train the first."""
    word = _sequence(study.seed, _WHOLE, number).generate_state(1, np.uint64)[0]
    return int(word >> np.uint64(1))


def drawn_tests(study: Study, count: int) -> NDArray[np.int64]:
    """Return test examples that an experiment looks at, drawn at random, ascending."""
    n_test = study.dataset.n_test
    rng = np.random.default_rng(_sequence(study.seed, _TESTS, 0))
    return np.sort(rng.permutation(n_test)[:count])


def block_size(ratio: float) -> int:
    """Return the trials in a balanced block: the fewest ≥ 10 that make ratio × block whole.

    Not fewer, because the shorter a block, the more two examples' inclusions resemble each other
    within it, and the more noise one lends the other.
    """
    denominator = Fraction(ratio).limit_denominator(20).denominator
    return denominator * ceil(_SMALLEST_BLOCK / denominator)


def _independent(n: int, m: int, seed: int, trial: int) -> NDArray[np.bool_]:
    subset = np.zeros(n, dtype=np.bool_)
    rng = np.random.default_rng(_sequence(seed, _SUBSETS, trial))
    subset[rng.permutation(n)[:m]] = True
    return subset


@lru_cache(maxsize=4)
def _block(n: int, m: int, size: int, seed: int, block: int) -> NDArray[np.bool_]:
    """Return a block's subsets, bool [size, n]: rows sum to m, columns to ⌊size·m/n⌋ or one more.

    Every example has a quota, the number of the block's trials it is in. With r trials to go and
    quota q left, an example enters the next trial with probability exactly q / r, drawn by
    systematic sampling in random order (Madow 1949): lay the quotas end to end in a random order
    and take the examples on which the marks u, u + r, u + 2r, … fall. The quotas left sum to r·m,
    so m marks fall; q ≤ r, so none falls twice on one example, and q = r is always hit: quotas are
    met. Nothing but the random orders tells two examples apart, so every trial's subset is
    uniformly random; every example's trials are a uniformly random subset of the block.
    """
    rng = np.random.default_rng(_sequence(seed, _SUBSETS, block))
    quota = np.full(n, size * m // n)
    quota[rng.permutation(n)[: size * m % n]] += 1
    rows = np.zeros((size, n), dtype=np.bool_)
    for row, to_go in zip(rows, range(size, 0, -1), strict=True):
        order = rng.permutation(n)
        ends = np.cumsum(quota[order])
        marks = rng.integers(to_go) + to_go * np.arange(m)
        row[order[np.searchsorted(ends, marks, side="right")]] = True
        quota -= row
    rows.setflags(write=False)
    return rows


def _sequence(seed: int, purpose: int, number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, purpose, number])
