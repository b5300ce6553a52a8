"""Trials as matrices: what each trained on, some examples at a time, and what came of it."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.running.trials import Trials


def outcomes(trials: Trials, *, is_margin: bool) -> NDArray[np.float32]:
    """Return the outcomes of T trials on the test examples, float32 [T, n_test]."""
    if is_margin:
        assert trials.test_values is not None  # its callers refuse studies without margins
        return trials.test_values.astype(np.float32)
    return np.unpackbits(trials.test_correct, axis=1, count=trials.n_test).astype(np.float32)


def included(trials: Trials, start: int, step: int) -> NDArray[np.uint8]:
    """Return which of the training examples from ``start`` each trial trained on, uint8 [T, b].

    Args:
        trials: which.
        start, step: a first example and a number of examples, multiples of 8.
    """
    count = min(step, trials.n - start)
    packed = trials.subset[:, start // 8 : (start + count + 7) // 8]
    return np.unpackbits(packed, axis=1, count=count)
