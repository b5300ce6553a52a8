"""Which pairs are looked at: the family of tests, as groups of training × test examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class Observed(Protocol):
    """Of which examples something can be said."""

    @property
    def is_estimable(self) -> NDArray[np.bool_]:
        """Training examples whose influence has an estimate, bool [n]."""

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Test examples that anything can have influence on, bool [n_test]."""


@dataclass(frozen=True, eq=False)
class Family:
    """Pairs of a training and a test example, each at most once.

    Attributes:
        groups: (training examples, test examples), every pair of which belongs to the family.
        above: float64 [n], by how much the memorization of each of all training examples exceeds
            the threshold that chose those of the family; None if memorization did not choose.
    """

    groups: tuple[tuple[Indices, Indices], ...]
    above: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        train: Indices,
        test: Indices,
        labels: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
        above: NDArray[np.float64] | None = None,
    ) -> "Family":
        """All pairs of these training and test examples; given labels, only within a class.

        Args:
            train, test: int64, the examples.
            labels: of all training and of all test examples, int64 [n] and [n_test].
            above: see :class:`Family`.
        """
        if labels is None:
            return cls(((train, test),) if len(train) and len(test) else (), above)
        mine, theirs = _by_label(train, labels[0]), _by_label(test, labels[1])
        return cls(tuple((rows, theirs[c]) for c, rows in mine.items() if c in theirs), above)

    @cached_property
    def n_pairs(self) -> int:
        """How many pairs there are."""
        return sum(len(rows) * len(columns) for rows, columns in self.groups)

    def n_estimable(self, evidence: Observed) -> int:
        """How many pairs have an estimate: those of training examples once in and once out."""
        keep = evidence.is_estimable
        return sum(int(keep[rows].sum()) * len(columns) for rows, columns in self.groups)

    def testable(self, evidence: Observed) -> "Family":
        """Leave out pairs of which nothing can be said, or only that there is no influence.

        Those of training examples without an estimate, and those of test examples that all trials
        got right, or all wrong. Neither is chosen by what it would show, so what is found among
        the others is as sure as it would be among all (independent filtering, Bourgon, Gentleman
        & Huber 2010).
        """
        keep, varies = evidence.is_estimable, evidence.varies
        left = ((rows[keep[rows]], columns[varies[columns]]) for rows, columns in self.groups)
        groups = tuple(group for group in left if len(group[0]) and len(group[1]))
        return Family(groups, self.above)

    def drawn(self, size: int) -> tuple[Indices, Indices]:
        """Draw pairs at random, always the same, int64 [size] each; all pairs if they are fewer."""
        sizes = np.array([len(rows) * len(columns) for rows, columns in self.groups], np.int64)
        ends = np.cumsum(sizes)
        n = self.n_pairs
        at = np.sort(np.random.default_rng(0).integers(n, size=size)) if n > size else np.arange(n)
        parts = np.split(at, np.searchsorted(at, ends)[:-1]) if len(ends) else []
        train, test = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for (rows, columns), part, start in zip(self.groups, parts, ends - sizes, strict=True):
            row, column = np.divmod(part - start, len(columns))
            train.append(rows[row])
            test.append(columns[column])
        return np.concatenate(train), np.concatenate(test)

    def census(self, n_in: NDArray[np.int64], n_correct: NDArray[np.int64]) -> "Census":
        """Count the pairs by n_in of the one and n_correct of the other, int64 of all examples."""
        sizes, size_of = np.unique(n_in, return_inverse=True)
        totals, total_of = np.unique(n_correct, return_inverse=True)
        n_rows = np.zeros((len(self.groups), len(sizes)))
        n_columns = np.zeros((len(self.groups), len(totals)))
        for g, (rows, columns) in enumerate(self.groups):
            n_rows[g] = np.bincount(size_of[rows], minlength=len(sizes))
            n_columns[g] = np.bincount(total_of[columns], minlength=len(totals))
        return Census(sizes, totals, n_rows.T @ n_columns)


@dataclass(frozen=True, eq=False)
class Census:
    """How many pairs share n_in and n_correct: all that chance depends on.

    Attributes:
        sizes, totals: int64 [S], [K], ascending: the values of n_in and n_correct.
        pairs: float64 [S, K], how many pairs have them; whole numbers below 2⁵³.
    """

    sizes: NDArray[np.int64]
    totals: NDArray[np.int64]
    pairs: NDArray[np.float64]


def _by_label(examples: Indices, labels: NDArray[np.int64]) -> dict[int, Indices]:
    order = np.argsort(labels[examples], kind="stable")
    ordered = examples[order]
    found, starts = np.unique(labels[ordered], return_index=True)
    parts: Sequence[Indices] = np.split(ordered, starts[1:])
    return dict(zip(found.tolist(), parts, strict=True)) if len(found) else {}
