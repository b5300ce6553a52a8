"""How good an approximation of influence is: does it find the pairs that many models find?

The pairs to find are the significant ones by the study's rule. The candidates are all pairs of one
class: millions, of which few are right. They are scored in blocks and never all held in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.evaluation import Cost, Measured, timed
from memtail_core.approximations.method import Block, Indices, InfluenceMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset

_RESAMPLES = 200
_SEED = 0
_ROWS = 512  # training examples scored at once
_WIDER = 10  # times as many candidates as pairs
_SPARE = 3  # times as many are kept, because resampling gives some of them no weight

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairEvaluation:
    """One method compared with the significant pairs of the reference.

    Attributes:
        method, source, cost: what was compared.
        pairs, candidates: the numbers of significant pairs, and of pairs in one class.
        precision: the share of pairs among the highest-scored candidates, as many as there are
            pairs; recall is the same.
        wider: the share of the pairs that are among ten times as many candidates.
        auroc: how often a pair scores higher than another candidate.

    Intervals come from resampling training examples.
    """

    method: str
    source: str
    cost: Cost
    pairs: int
    candidates: int
    precision: Measured
    wider: Measured
    auroc: Measured

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Scored:
    """Training and test examples of one class, int64 [a] and [b], and scores, float32 [a, b]."""

    train: Indices
    test: Indices
    scores: NDArray[np.float32]


def same_class(block: Block, dataset: Dataset) -> Iterator[Scored]:
    """Score every pair of one class."""
    for label in np.unique(dataset.y_test):
        test = np.flatnonzero(dataset.y_test == label)
        train = np.flatnonzero(dataset.y_train == label)
        for start in range(0, len(train), _ROWS):
            rows = train[start : start + _ROWS]
            yield Scored(rows, test, block(rows, test))


def strongest(
    block: Block, dataset: Dataset, most: int
) -> tuple[Indices, Indices, NDArray[np.float32]]:
    """The highest-scored pairs of one class, best first: int64 [P], int64 [P], float32 [P]."""
    train, test = np.zeros(0, np.int64), np.zeros(0, np.int64)
    scores = np.zeros(0, np.float32)
    for part in same_class(block, dataset):
        flat = part.scores.ravel()
        some = np.argpartition(-flat, most - 1)[:most] if len(flat) > most else np.arange(len(flat))
        i, j = np.unravel_index(some, part.scores.shape)
        train = np.concatenate([train, part.train[i]])
        test = np.concatenate([test, part.test[j]])
        scores = np.concatenate([scores, flat[some]])
        order = np.lexsort((test, train, -scores))[:most]
        train, test, scores = train[order], test[order], scores[order]
    return train, test, scores


def pairs_evaluated(
    method: InfluenceMethod,
    dataset: Dataset,
    runs: Sequence[Run],
    train: Indices,
    test: Indices,
) -> PairEvaluation:
    """Compare a method with the significant pairs, int64 [P] ≥ 1 each, of one class."""
    block, cost = timed(method, runs, lambda: method.between(dataset, runs))
    n, n_test = len(dataset.y_train), len(dataset.y_test)
    keys = np.sort(train * n_test + test)
    rng = np.random.default_rng(_SEED)
    drawn = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(_RESAMPLES)]
    weights = np.stack([np.ones(n), *drawn])
    listed, other, _ = strongest(block, dataset, _SPARE * _WIDER * len(keys))
    is_pair = np.isin(listed * n_test + other, keys)
    figures = [
        *(_recall(weights, listed, is_pair, keys // n_test, times) for times in (1, _WIDER)),
        _aurocs(block, dataset, keys, weights),
    ]
    by_class = (np.bincount(y, minlength=len(dataset.classes)) for y in _labels(dataset))
    return PairEvaluation(
        method.name,
        method.source,
        cost,
        len(keys),
        int(np.prod(list(by_class), axis=0).sum()),
        *(Measured.of(float(figure[0]), figure[1:]) for figure in figures),
    )


def _labels(dataset: Dataset) -> tuple[Indices, Indices]:
    return dataset.y_train, dataset.y_test


def _recall(
    weights: Floats, listed: Indices, is_pair: NDArray[np.bool_], owner: Indices, times: int
) -> Floats:
    """The share of the pairs among the first ``times`` × as many candidates, per row of weights.

    Args:
        weights: of training examples, [B, n].
        listed, is_pair: [L], candidates, best first: the training example, and if it is a pair.
        owner: [P], the training examples of the pairs.
    """
    shares = []
    for weight in weights:
        total, of_listed = weight[owner].sum(), weight[listed]
        is_within = np.cumsum(of_listed) <= times * total
        hits = (of_listed * (is_within & is_pair)).sum()
        shares.append(hits / total if total else np.nan)
    return np.array(shares)


def _aurocs(block: Block, dataset: Dataset, keys: Indices, weights: Floats) -> Floats:
    """P[score of a pair > of another candidate] + ½ P[equal], per row of weights [B, n]."""
    n_test = len(dataset.y_test)
    pair_keys, pair_scores = [], []
    for part in same_class(block, dataset):
        is_pair = _is_pair(part, keys, n_test)
        pair_keys.append((part.train[:, None] * n_test + part.test)[is_pair])
        pair_scores.append(part.scores[is_pair])
    own = np.concatenate(pair_scores)
    order = np.argsort(own, kind="stable")
    ascending, owner = own[order], np.concatenate(pair_keys)[order] // n_test
    counts = np.zeros((len(weights), len(own) + 1))  # of others, by the number of pairs below them
    for part in same_class(block, dataset):
        others = ~_is_pair(part, keys, n_test)
        for rows in np.array_split(np.arange(len(part.train)), 1 + others.size // 2**18):
            row, _ = np.nonzero(others[rows])
            scores = part.scores[rows][others[rows]]
            of_rows = np.zeros((len(rows), len(own) + 1))
            for side in ("left", "right"):  # a tie with a pair counts half
                above = np.searchsorted(ascending, scores, side=side)
                np.add.at(of_rows, (row, above), 0.5)
            counts += weights[:, part.train[rows]] @ of_rows
    of_pair, below = weights[:, owner], np.cumsum(counts, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((of_pair * below[:, :-1]).sum(1) / (of_pair.sum(1) * below[:, -1]))


def _is_pair(part: Scored, keys: Indices, n_test: int) -> NDArray[np.bool_]:
    return np.isin(part.train[:, None] * n_test + part.test, keys)
