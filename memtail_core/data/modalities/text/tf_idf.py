"""Texts as vectors: how often each token and each pair of neighbouring tokens occurs, weighted.

A term t that occurs f times in a text, and in n_t of the n training texts, weighs
(1 + ln f) · (1 + ln((1 + n) / (1 + n_t))); a text's weights have length 1 (Salton & Buckley, "Term-
weighting approaches in automatic text retrieval", 1988, in scikit-learn's smooth form).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples

_PLACES = 1024  # of a vector in which two texts are compared
_TERMS = 2**18  # that tokens and pairs are hashed to
_MULTIPLIERS = np.array([0x9E3779B1, 0x85EBCA77], np.uint64)

Embed = Callable[[NDArray[Any], int | None], NDArray[np.float32]]


def matrix(tokens: NDArray[np.int32], vocabulary: int) -> Any:
    """Count the terms of each text.

    Args:
        tokens: int32 [n, length], 0 after the last.
        vocabulary: V; tokens are 1 … V.

    Returns:
        a sparse matrix, float32 [n, V + 2¹⁸], of scipy: a column for each token, then pairs of
        neighbouring tokens, hashed.
    """
    from scipy import sparse

    rows = np.arange(len(tokens))[:, None]
    pairs = hashed_pairs(tokens, _TERMS) + vocabulary
    columns = np.concatenate([tokens.astype(np.int64) - 1, pairs], axis=1)
    is_term = np.concatenate([tokens > 0, is_pair(tokens)], axis=1)
    at = np.broadcast_to(rows, columns.shape)[is_term], columns[is_term]
    counts = sparse.csr_matrix(
        (np.ones(len(at[0]), np.float32), at), shape=(len(tokens), vocabulary + _TERMS)
    )
    counts.sum_duplicates()
    return counts


def weighted(train: Any, *others: Any) -> list[Any]:
    """Weigh counts of terms by TF-IDF, with n and n_t of ``train``; all are sparse matrices."""
    from sklearn.feature_extraction.text import TfidfTransformer

    transform = TfidfTransformer(sublinear_tf=True).fit(train)
    return [transform.transform(each).astype(np.float32) for each in (train, *others)]


def hashed_pairs(tokens: NDArray[np.int32], terms: int) -> NDArray[np.int64]:
    """Hash each token with the next, [n, length] → int64 [n, length − 1] of 0 … terms − 1."""
    left, right = (each.astype(np.uint64) for each in (tokens[:, :-1], tokens[:, 1:]))
    mixed = left * _MULTIPLIERS[0] + right * _MULTIPLIERS[1]
    hashed: NDArray[np.uint64] = (mixed ^ (mixed >> np.uint64(15))) % np.uint64(terms)
    return hashed.astype(np.int64)


def is_pair(tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether a token and the next are both there, bool [n, length − 1]."""
    return (tokens[:, :-1] > 0) & (tokens[:, 1:] > 0)


def embedding(train: Examples) -> Embed:
    """Return a function that turns texts into float32 [n, 1024, 1], by n_t of these texts.

    Each token adds its weight, with a random sign, to one of the places: distances between vectors
    are then those between the weights, up to noise (Weinberger et al., "Feature hashing", 2009).
    """
    documents = np.zeros(1, np.int64)
    for chunk in train.chunks():
        ordered = np.sort(chunk, axis=1)
        is_first = np.ones(ordered.shape, np.bool_)
        is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        counted = np.bincount(ordered[is_first])
        documents = np.pad(documents, (0, max(0, len(counted) - len(documents))))
        documents[: len(counted)] += counted
    inverse = 1 + np.log((1 + len(train)) / (1 + documents))

    def embed(tokens: NDArray[Any], largest_side: int | None = None) -> NDArray[np.float32]:
        del largest_side
        known = np.minimum(tokens, len(inverse) - 1)
        unseen = 1 + np.log(1 + len(train))
        made: NDArray[np.float32] = vectors(
            tokens, np.where(tokens < len(inverse), inverse[known], unseen)
        )
        return made

    return embed


def vectors(tokens: NDArray[Any], inverse: NDArray[np.float64] | float = 1.0) -> Any:
    """Return float32 [n, 1024, 1]; ``inverse``, [n, length], is the second factor of a weight."""
    ordered = np.argsort(tokens, axis=1, kind="stable")
    sorted_tokens = np.take_along_axis(tokens, ordered, 1).astype(np.uint64)
    weights = np.broadcast_to(np.asarray(inverse, np.float64), tokens.shape)
    weights = np.take_along_axis(weights, ordered, 1)
    is_first = np.ones(tokens.shape, np.bool_)
    is_first[:, 1:] = sorted_tokens[:, 1:] != sorted_tokens[:, :-1]
    row, column = np.nonzero(is_first)
    times = np.diff(np.append(np.flatnonzero(is_first), tokens.size))
    token = sorted_tokens[row, column]
    weight = (1 + np.log(times)) * weights[row, column] * (token > 0)
    mixed = (token * _MULTIPLIERS[0]) & np.uint64(0xFFFFFFFF)
    mixed = ((mixed ^ (mixed >> np.uint64(15))) * _MULTIPLIERS[1]) & np.uint64(0xFFFFFFFF)
    place = (mixed >> np.uint64(12)).astype(np.int64) % _PLACES
    sign = np.where((mixed >> np.uint64(8)) & np.uint64(1), 1.0, -1.0)
    made = np.bincount(row * _PLACES + place, weight * sign, len(tokens) * _PLACES)
    made = made.reshape(len(tokens), _PLACES)
    length = np.linalg.norm(made, axis=1, keepdims=True)
    return (made / np.where(length == 0, 1, length)).astype(np.float32)[..., None]
