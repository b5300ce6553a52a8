"""A look at a whole bank before anything is stored: its digest, its ratio, how it was drawn."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DatasetError
from memtail_core.exchange.bank import OUTCOMES, Bank
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.plan import designs

_MOST_DEVIATIONS = 6.0  # of a subset's size, if every example is in with one probability
_NAMES = ("subset", *OUTCOMES)


@dataclass(frozen=True)
class Survey:
    """What is known of a bank after it was read once.

    Attributes:
        sha256: digest of all trials; the same trials have the same digest in every format.
        ratio: the mean share of the training examples that a model trained on.
        is_balanced: whether every block of trials holds out every example equally often, so that
            the trials of a block depend on each other.
        has_margins: whether there are margins of any examples.
    """

    sha256: str
    ratio: float
    is_balanced: bool
    has_margins: bool

    @classmethod
    def of(cls, bank: Bank, progress: ProgressCallback) -> "Survey":
        """Read every trial and check it.

        Raises:
            DatasetError: an array is not as it should be, a model trained on everything or nothing,
                or the ratio varies more than by chance.
        """
        digests = {name: hashlib.sha256() for name in _NAMES}
        sizes = np.zeros(bank.trials, np.int64)
        seen: set[str] = set()
        balance = _Balance(bank.n)
        for first, part in bank.parts(bank.at_once()):
            sizes[first : first + len(part.subset)] = part.subset.sum(axis=1)
            balance.add(part.subset)
            for name in _NAMES:
                array = getattr(part, name)
                if array is not None:
                    seen.add(name)
                    is_bits = array.dtype == np.bool_
                    rows = np.packbits(array, axis=1) if is_bits else array.astype("<f2")
                    digests[name].update(np.ascontiguousarray(rows).data)
            progress(len(part.subset))
        ratio = _ratio(sizes, bank.n)
        whole = hashlib.sha256(f"{bank.trials} {bank.n} {bank.n_test}".encode())
        for name in sorted(seen):
            whole.update(f"{name} {digests[name].hexdigest()}".encode())
        has_margins = any(name.endswith("margins") for name in seen)
        return cls(whole.hexdigest(), ratio, balance.holds, has_margins)


class _Balance:
    """Watches whether blocks of trials hold out every example equally often, or once more."""

    def __init__(self, n: int) -> None:
        self._counts = np.zeros(n, np.int64)
        self._size = self._block = self._rows = self._blocks = 0
        self._holds = True

    @property
    def holds(self) -> bool:
        """Whether there were whole blocks, and all were balanced."""
        return self._holds and self._blocks > 0

    def add(self, subset: NDArray[np.bool_]) -> None:
        """Look at further trials, bool [k, n]."""
        for row in subset:
            if not self._block:
                self._size = int(row.sum())
                self._block = designs.block_size(self._size / len(row))
            self._holds &= int(row.sum()) == self._size
            self._counts += row
            self._rows += 1
            if self._rows == self._block:
                least = self._block * self._size // len(row)
                self._holds &= bool(((least <= self._counts) & (self._counts <= least + 1)).all())
                self._counts[:] = self._rows = 0
                self._blocks += 1


def _ratio(sizes: NDArray[np.int64], n: int) -> float:
    for k in np.flatnonzero((sizes == 0) | (sizes == n))[:1]:
        what = "none" if sizes[k] == 0 else "all"
        raise DatasetError(f"trial {k} trained on {what} of the {n:,} examples: leave it out")
    ratio = float(sizes.mean() / n)
    chance = _MOST_DEVIATIONS * np.sqrt(n * ratio * (1 - ratio)) + 1
    typical = float(np.median(sizes))
    for k in np.flatnonzero(np.abs(sizes - typical) > chance)[:1]:
        raise DatasetError(
            f"trial {k} trained on {sizes[k]:,} of the {n:,} examples, most others on about "
            f"{typical:,.0f}: a study has one ratio, import the models of each by themselves"
        )
    return ratio
