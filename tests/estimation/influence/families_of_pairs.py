"""Some families of pairs of one set of trials, and what is to be found in them, by brute force."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence import Evidence, Family, Pairs
from tests.estimation.influence.oracle import Pair, all_pairs, evidence
from tests.estimation.oracle import random_trials

N, N_TEST, T = 60, 45, 80
SUBSET, TRAIN_CORRECT, CORRECT = random_trials(4, T, N, N_TEST)
SUBSET[:, 5], SUBSET[:, 6] = True, False  # never held out, never in: no estimate
CORRECT[:, 2], CORRECT[:, 3] = True, False  # nothing has influence on them
Labels = tuple[NDArray[np.int64], NDArray[np.int64]]
FAMILIES: dict[str, tuple[list[int], Labels | None]] = {
    "every pair": (list(range(N)), None),
    "one class": (list(range(N)), (np.arange(N) % 3, np.arange(N_TEST) % 4)),
    "some": ([49, 3, 8, 0, 5, 31], None),
    "one pair": ([7], (np.arange(N), np.where(np.arange(N_TEST) == 9, 7, 99))),
    "none": ([5, 6], None),
}


def looked_at(name: str) -> tuple[Evidence, Family, list[Pair]]:
    train, labels = FAMILIES[name]
    family = Family.of(np.array(train, np.int64), np.arange(N_TEST), labels)
    return evidence(SUBSET, CORRECT), family, list(all_pairs(SUBSET, CORRECT, train, labels))


def q_values(pairs: list[Pair]) -> list[float]:
    """The least rate N t / #{p ≤ t} over thresholds t = 10^(−l/16) ≥ p, up to 0.57."""
    p = np.array([float(pair.p_value) for pair in pairs])
    grid = [10 ** (-level / 16) for level in range(4, 1000)]
    rates = [len(p) * t / max(1, (p <= t * (1 + 1e-9)).sum()) for t in grid]
    least = np.minimum.accumulate(np.minimum(rates, 1))
    return [
        float(min([q for t, q in zip(grid, least, strict=True) if each <= t * (1 + 1e-9)] or [1]))
        for each in p
    ]


def listed(pairs: list[Pair], theta: float, fdr: float | None) -> list[tuple[Pair, float]]:
    """The pairs that reach theta and are significant, with their q-values."""
    return [
        (pair, q)
        for pair, q in zip(pairs, q_values(pairs), strict=True)
        if pair.influence >= theta - 1e-9 and (fdr is None or q <= fdr)
    ]


def indices_of(found: Pairs) -> list[tuple[int, int]]:
    return list(zip(found.train_index.tolist(), found.test_index.tolist(), strict=True))


def rows_of(found: Pairs) -> Iterator[dict[str, float]]:
    names = [name for name, value in vars(found).items() if isinstance(value, np.ndarray)]
    for row in range(len(found)):
        yield {name: getattr(found, name)[row].item() for name in names}
