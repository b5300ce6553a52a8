"""Training code as a user would write it, and some with the mistakes a user would make."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV


def nearest(x, y, *, seed, device, n_classes, power):
    """Score each class by closeness to its nearest example."""
    x = x.reshape(len(x), -1).astype(float)

    def predict(inputs):
        flat = inputs.reshape(len(inputs), -1).astype(float)
        distance = np.abs(flat[:, None] - x[None]) ** power
        distance = distance.sum(2)
        scores = np.full((len(inputs), n_classes), -1e9)
        for c in np.unique(y):
            scores[:, c] = -distance[:, y == c].min(1) / 1e4
        return scores

    return predict


def labels_only(x, y, *, seed, device, n_classes):
    rng = np.random.RandomState(seed)  # which takes no more than 32 bits
    return lambda inputs: rng.randint(n_classes, size=len(inputs))


def wrong_shape(x, y, *, seed, device, n_classes):
    return lambda inputs: np.zeros((3, 3))


def not_finite(x, y, *, seed, device, n_classes):
    return lambda inputs: np.full((len(inputs), n_classes), np.nan)


def changes_the_data(x, y, *, seed, device, n_classes):
    def predict(inputs):
        inputs[:] = 0
        return np.zeros(len(inputs), int)

    return predict


def exits(x, y, *, seed, device, n_classes):
    sys.exit(3)


def other_labels(x, y, *, seed, device, n_classes):
    return lambda inputs: np.full(len(inputs), 99)


def returns_nothing(x, y, *, seed, device, n_classes):
    print("trained")


def fails(x, y, *, seed, device, n_classes):
    raise ValueError("the user's\nown mistake")


def dies(x, y, *, seed, device, n_classes):
    os._exit(9)  # as the kernel does to a process that takes too much memory


def dies_once(x, y, *, seed, device, n_classes):
    flag = Path(os.environ["MEMTAIL_TEST_DIED"])
    if not flag.exists():
        flag.touch()
        os._exit(9)
    return labels_only(x, y, seed=seed, device=device, n_classes=n_classes)


def out_of_memory(x, y, *, seed, device, n_classes, how):
    """Run out of memory as Python, numpy, torch or a library in them says it."""
    if how == "python":
        raise MemoryError
    if how == "numpy":
        np.empty(2**50)
    if how == "torch":
        torch.empty(2**58)
    if how == "gpu":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    if how == "jax":
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes.")
    if how == "scikit-learn":  # wraps what each fit raises in a ValueError
        search = GridSearchCV(_Greedy(), {"bytes": [2**53]}, cv=2)
        search.fit(x.reshape(len(x), -1), y)
    if how == "exit":
        try:
            raise MemoryError
        except MemoryError:
            sys.exit(1)
    if how == "predict":
        return lambda inputs: np.empty(2**50)


class _Greedy(ClassifierMixin, BaseEstimator):
    def __init__(self, bytes=1):
        self.bytes = bytes

    def fit(self, x, y):
        np.empty(self.bytes, np.uint8)


def out_of_memory_once(x, y, *, seed, device, n_classes):
    flag = Path(os.environ["MEMTAIL_TEST_DIED"])
    if not flag.exists():
        flag.touch()
        raise MemoryError
    return labels_only(x, y, seed=seed, device=device, n_classes=n_classes)
