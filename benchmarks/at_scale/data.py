"""Synthetic trials of any size, as packed bits in files: random subsets with planted influence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

RATIO = 0.7  # of the training examples are in a subset
_MEMORIZED = 1 / 3  # of the training examples
_PLANTED = 0.3  # of the test examples depend on one training example of their class
_EFFECT = (0.1, 0.6)  # by this much
_ACCURACY = (2.0, 0.7)  # a Beta distribution, like that of a network that is nearly always right
_SAMPLED = 128  # rows, and columns


@dataclass(frozen=True)
class Sizes:
    """The numbers of trials, examples and classes."""

    train: int
    test: int
    trials: int
    classes: int

    def __str__(self) -> str:
        return f"{self.train:,} × {self.test:,}, {self.trials:,} trials"


@dataclass(frozen=True, eq=False)
class Data:
    """The contents of a folder.

    Attributes:
        subset, test_correct: uint8 [T, ⌈n/8⌉] and [T, ⌈n_test/8⌉], packed bits.
        y_train, y_test: int64 [n], [n_test].
        memorized: int64, the training examples that the paper's rule considers.
    """

    subset: NDArray[np.uint8]
    test_correct: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    y_test: NDArray[np.int64]
    memorized: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> "Data":
        """Read the files."""
        names = ("subset", "test_correct", "y_train", "y_test", "memorized")
        return cls(*(np.load(folder / f"{name}.npy") for name in names))


def make(folder: Path, sizes: Sizes, seed: int = 0) -> Path:
    """Write files that :meth:`Data.read` reads; return the folder.

    One trial at a time, to save memory. Subsets are uniform among all of exactly 70%, independent
    of each other, as in a study with independent subsets.
    """
    folder.mkdir()
    rng = np.random.default_rng(seed)
    y_train, y_test = np.arange(sizes.train) % sizes.classes, np.arange(sizes.test) % sizes.classes
    is_memorized = rng.random(sizes.train) < _MEMORIZED
    is_memorized[0] = True
    memorized = np.flatnonzero(is_memorized)
    partner = _partners(rng, memorized, y_train, y_test)
    effect = np.where(rng.random(sizes.test) < _PLANTED, rng.uniform(*_EFFECT, sizes.test), 0.0)
    without = rng.beta(*_ACCURACY, sizes.test) * (1 - effect)
    subset, correct = (
        open_memmap(folder / f"{name}.npy", "w+", np.dtype(np.uint8), (sizes.trials, -(-n // 8)))
        for name, n in (("subset", sizes.train), ("test_correct", sizes.test))
    )
    for trial in range(sizes.trials):
        member = _subset(rng, sizes.train)
        subset[trial] = np.packbits(member)
        right = rng.random(sizes.test) < without + effect * member[partner]
        correct[trial] = np.packbits(right)
    for name, array in (("y_train", y_train), ("y_test", y_test), ("memorized", memorized)):
        np.save(folder / f"{name}.npy", array)
    return folder


def sample(sizes: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose training and test examples whose pairs are compared count by count."""
    rng = np.random.default_rng(1)
    rows, columns = (np.sort(rng.permutation(n)[:_SAMPLED]) for n in sizes)
    return rows, columns


def _partners(
    rng: np.random.Generator,
    memorized: NDArray[np.int64],
    y_train: NDArray[np.int64],
    y_test: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Choose a memorized training example for each test example, of its class if there is one."""
    ordered = memorized[np.argsort(y_train[memorized], kind="stable")]
    labels = y_train[ordered]
    first, end = (np.searchsorted(labels, y_test, side) for side in ("left", "right"))
    chosen = first + (rng.random(len(y_test)) * (end - first)).astype(np.int64)
    return ordered[np.minimum(chosen, len(ordered) - 1)]


def _subset(rng: np.random.Generator, n: int) -> NDArray[np.bool_]:
    """Draw each example, then add or remove as many at random as needed."""
    member = rng.integers(256, size=n, dtype=np.uint8) < round(256 * RATIO)
    surplus = int(member.sum()) - round(RATIO * n)
    movable = np.flatnonzero(member if surplus > 0 else ~member)
    member[rng.choice(movable, abs(surplus), replace=False, shuffle=False)] = surplus < 0
    return np.asarray(member)
