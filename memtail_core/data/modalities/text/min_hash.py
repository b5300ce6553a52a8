"""Texts compared by the share of their token triples that they have in common.

The Jaccard similarity of two sets of triples is how often a random hash function has its smallest
value at the same triple of both (Broder, "On the resemblance and containment of documents", 1997).
With h functions the standard error is √(J (1 − J) / h), 0.04 at most here.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples
from memtail_core.data.modalities.comparison import Comparable, Comparison

if TYPE_CHECKING:
    from torch import Tensor

_FUNCTIONS = 160
_TOGETHER = 3  # tokens of a shingle
_PRIME = np.uint64(2**31 - 1)
_SIGNS = 8  # per function, in the vectors by which candidates are found
_ROWS = 1024  # at once
_EXACT = 2**24  # float32 holds all whole numbers below


class SharedShingles(Comparison):
    """1 − Ĵ of the token triples of two texts; a shorter text is one shingle."""

    same = 0.3
    """Texts that share 70% of their triples are near-duplicates, as in the corpora that language
    models train on (Lee et al., "Deduplicating training data makes language models better", 2022,
    take 80%, of five words)."""

    def prepared(
        self, train: Examples, test: Examples, device: str
    ) -> tuple[Comparable, Comparable]:
        """See :class:`~memtail_core.data.modalities.comparison.Comparison`."""
        return _comparable(train, device), _comparable(test, device)

    def distances(self, one: "Tensor", others: "Tensor") -> "Tensor":
        """See :class:`~memtail_core.data.modalities.comparison.Comparison`."""
        apart: Tensor = 1 - (one[:, None] == others).float().mean(2)
        return apart


def signatures(tokens: NDArray[Any]) -> NDArray[np.int64]:
    """The smallest value of each hash function, int64 [n, 160] below 2²⁴, of tokens [n, length]."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 2**31 - 1, (2, _FUNCTIONS)).astype(np.uint64)
    padded = np.pad(tokens, ((0, 0), (0, max(0, _TOGETHER - tokens.shape[1])))).astype(np.uint64)
    shingles = np.zeros((len(padded), padded.shape[1] - _TOGETHER + 1), np.uint64)
    for k in range(_TOGETHER):
        shingles = (shingles * np.uint64(1_000_003) + padded[:, k : k + shingles.shape[1]]) % _PRIME
    is_whole = padded[:, _TOGETHER - 1 :] > 0
    is_whole[:, 0] = True
    smallest = np.full((len(padded), _FUNCTIONS), _PRIME)
    for k in range(shingles.shape[1]):
        values = (shingles[:, k, None] * a + b) % _PRIME
        values[~is_whole[:, k]] = _PRIME
        np.minimum(smallest, values, out=smallest)
    return (smallest % np.uint64(_EXACT)).astype(np.int64)


def _comparable(examples: Examples, device: str) -> Comparable:
    import torch

    found = [signatures(chunk) for chunk in examples.chunks(_ROWS)]
    made = torch.from_numpy(np.concatenate(found)).to(device)
    mixed = made[:, :, None] * 0x9E3779B1 + torch.arange(_FUNCTIONS, device=device)[:, None]
    mixed = mixed * 0x85EBCA77 % (2**31 - 1)
    bits = mixed >> torch.arange(8, 8 + _SIGNS, device=device)
    signs = (bits % 2 * 2 - 1).float().flatten(1)
    return Comparable(signs, made.float())
