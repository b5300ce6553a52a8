"""How much each training example matters to each test example.

    infl_ij = mean over trials with i in  of 1[h_k(x'_j) = y'_j]
            − mean over trials with i out of 1[h_k(x'_j) = y'_j]   Feldman & Zhang 2020, section 2

With M the subsets and C the correctness, 0/1 matrices, all of it is one exact product: in_correct
= Mᵀ C, out_correct = column sums of C − in_correct. It is done block by block; a block of float32
products is exact, for counts stay far below 2²⁴.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.intervals import difference

_ROWS, _COLUMNS = 512, 8192  # of a block: a few dozen MB in float64
_MOST_TRIALS = 2**24  # float32 counts exactly up to here


@dataclass(frozen=True)
class PairsRule:
    """Which pairs count as high-influence; the paper's values.

    Attributes:
        theta_mem: least memorization of the training example; a missing one selects nothing.
        theta_infl: least influence.
        same_class: whether both examples must have one label.
    """

    theta_mem: float = 0.25
    theta_infl: float = 0.15
    same_class: bool = True

    def is_memorized(self, memorization: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each value reaches theta_mem."""
        return reaches(memorization, self.theta_mem)

    def is_influential(self, influence: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each value reaches theta_infl."""
        return reaches(influence, self.theta_infl)


def reaches(values: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Tell which values are at least ``threshold``; a missing one is not.

    Differences of proportions often equal a threshold exactly, 0.7 − 0.45 = 0.25, but not in
    floating point; two that differ, differ by far more than the slack of 1e-9.
    """
    with np.errstate(invalid="ignore"):
        found: NDArray[np.bool_] = np.asarray(values) >= threshold - 1e-9
    return found


@dataclass(frozen=True, eq=False)
class Influence:
    """Estimates for a block of rows × columns, NaN where a row's example was never in or out."""

    influence: NDArray[np.float64]
    standard_error: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """High-influence pairs, by falling influence.

    Attributes:
        train_index, test_index: int64 [P].
        influence, standard_error, memorization: float64 [P]; memorization is the training
            example's.
    """

    train_index: NDArray[np.int64]
    test_index: NDArray[np.int64]
    influence: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    memorization: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.train_index)


def influence(
    subset: NDArray[np.uint8],
    test_correct: NDArray[np.uint8],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> Influence:
    """Estimate the influence of training examples ``rows`` on test examples ``columns``.

    Args:
        subset: uint8 [T, ⌈n/8⌉], packed.
        test_correct: uint8 [T, ⌈n_test/8⌉], packed.
        rows: int64 [R], training examples.
        columns: int64 [S], test examples.

    Returns:
        float64 [R, S], held in memory: for all pairs use :func:`pairs`.
    """
    if len(subset) >= _MOST_TRIALS:
        raise EstimationError(f"{len(subset)} trials: counts are exact up to {_MOST_TRIALS - 1}")
    members = _selected(subset, rows)
    correct = _selected(test_correct, columns)
    in_correct = (members.T @ correct).astype(np.int64)
    n_in = members.sum(axis=0).astype(np.int64)[:, None]
    out_correct = correct.sum(axis=0).astype(np.int64) - in_correct
    return Influence(*difference(in_correct, n_in, out_correct, len(subset) - n_in))


def pairs(
    subset: NDArray[np.uint8],
    test_correct: NDArray[np.uint8],
    memorization: NDArray[np.float64],
    y_train: NDArray[np.int64],
    y_test: NDArray[np.int64],
    rule: PairsRule = PairsRule(),
) -> Pairs:
    """Find the pairs that ``rule`` selects.

    Only what the rule can select is computed: memorized rows, and with ``same_class`` only test
    examples of the row's class.

    Args:
        subset: uint8 [T, ⌈n/8⌉], packed.
        test_correct: uint8 [T, ⌈n_test/8⌉], packed.
        memorization: float64 [n], NaN where missing.
        y_train, y_test: int64 labels.
        rule: the paper's, unless told otherwise.
    """
    none = np.zeros(0, np.int64)
    found: list[tuple[NDArray[Any], ...]] = [(none, none, np.zeros(0), np.zeros(0))]
    for rows, columns in blocks(memorization, y_train, y_test, rule):
        block = influence(subset, test_correct, rows, columns)
        at = np.nonzero(rule.is_influential(block.influence))
        found.append((rows[at[0]], columns[at[1]], block.influence[at], block.standard_error[at]))
    train, test, values, errors = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((test, train, -values))
    train = train[order]
    return Pairs(train, test[order], values[order], errors[order], memorization[train])


def blocks(
    memorization: NDArray[np.float64],
    y_train: NDArray[np.int64],
    y_test: NDArray[np.int64],
    rule: PairsRule,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield blocks (rows, columns) that together cover what the rule can select, each once."""
    memorized = np.flatnonzero(rule.is_memorized(memorization))
    groups = [(memorized, np.arange(len(y_test)))]
    if rule.same_class:
        labels = np.unique(y_train[memorized])
        groups = [(memorized[y_train[memorized] == c], np.flatnonzero(y_test == c)) for c in labels]
    for rows, columns in groups:
        for start in range(0, len(rows), _ROWS):
            for left in range(0, len(columns), _COLUMNS):
                yield rows[start : start + _ROWS], columns[left : left + _COLUMNS]


def _selected(packed: NDArray[np.uint8], columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Unpack only the chosen columns of packed bits: float32 [T, len(columns)] of 0 and 1."""
    shift = (7 - (columns & 7)).astype(np.uint8)
    return ((packed[:, columns >> 3] >> shift) & 1).astype(np.float32)
