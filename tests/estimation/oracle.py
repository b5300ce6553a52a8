"""The paper's estimator written out with loops, sharing nothing with the code under test."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def difference_of_means(
    subset: NDArray[np.bool_], correct: NDArray[np.bool_], i: int, j: int
) -> dict[str, Any]:
    """Memorization (correct = train, j = i) or influence of i on j, from unpacked bits."""
    inside = [bool(c[j]) for s, c in zip(subset, correct, strict=True) if s[i]]
    outside = [bool(c[j]) for s, c in zip(subset, correct, strict=True) if not s[i]]
    found = {"n_in": len(inside), "n_out": len(outside)}
    if not inside or not outside:
        return {**found, "estimate": math.nan, "standard_error": math.nan}
    p, q = sum(inside) / len(inside), sum(outside) / len(outside)
    variance = p * (1 - p) / len(inside) + q * (1 - q) / len(outside)
    return {
        **found,
        "estimate": p - q,
        "standard_error": math.sqrt(variance),
        "accuracy_in": p,
        "accuracy_out": q,
    }


def random_trials(
    seed: int, t: int, n: int, n_test: int, ratio: float = 0.7
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Subsets and correctness with planted memorization and influence."""
    rng = np.random.default_rng(seed)
    subset = rng.random((t, n)) < ratio
    hard = rng.random(n) < 0.3
    train_correct = subset | (rng.random((t, n)) < np.where(hard, 0.2, 0.97))
    rests_on = rng.integers(n, size=n_test)
    test_correct = np.where(subset[:, rests_on], rng.random((t, n_test)) < 0.9, False)
    return subset, train_correct, test_correct | (rng.random((t, n_test)) < 0.4)
