"""How good an approximation of influence is: does it find the pairs that many trainings find?

The pairs are those of the study's rule that are significant. Candidates are all pairs of one class,
millions, of which few are right. They are scored a class at a time and never held together.
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
_WIDER = 10  # times as many candidates as there are pairs
_SPARE = 3  # times as many are kept, for resampling weighs some of them away

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairEvaluation:
    """One method beside the significant pairs of the reference.

    Attributes:
        method, source, cost: what was compared.
        pairs, candidates: how many are significant, and of how many in one class.
        precision: of as many candidates as there are pairs, those scored highest, the share that
            are pairs; recall is the same.
        wider: of the pairs, the share among ten times as many candidates.
        auroc: how often a pair is scored above another candidate. Intervals are by resampling
            training examples.
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
    """Some training and test examples of one class: int64 [a], [b], and float32 [a, b]."""

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
    """The pairs of one class scored highest, best first: int64 [P], int64 [P], float32 [P]."""
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
    """The share of the pairs among the first ``times`` × as many listed, by each row of weights.

    Args:
        weights: of training examples, [B, n].
        listed, is_pair: [L], candidates from the best: training example, whether it is a pair.
        owner: [P], the training examples of the pairs.
    """
    found = []
    for weight in weights:
        total, of_listed = weight[owner].sum(), weight[listed]
        is_within = np.cumsum(of_listed) <= times * total
        hits = (of_listed * (is_within & is_pair)).sum()
        found.append(hits / total if total else np.nan)
    return np.array(found)


def _aurocs(block: Block, dataset: Dataset, keys: Indices, weights: Floats) -> Floats:
    """P[score of a pair > of another candidate] + ½ P[equal], by each row of weights [B, n]."""
    n_test = len(dataset.y_test)
    found_keys, found_scores = [], []
    for part in same_class(block, dataset):
        is_pair = _is_pair(part, keys, n_test)
        found_keys.append((part.train[:, None] * n_test + part.test)[is_pair])
        found_scores.append(part.scores[is_pair])
    own = np.concatenate(found_scores)
    order = np.argsort(own, kind="stable")
    ascending, owner = own[order], np.concatenate(found_keys)[order] // n_test
    counts = np.zeros((len(weights), len(own) + 1))  # of others, by how many pairs they are above
    for part in same_class(block, dataset):
        others = ~_is_pair(part, keys, n_test)
        for rows in np.array_split(np.arange(len(part.train)), 1 + others.size // 2**18):
            row, _ = np.nonzero(others[rows])
            scores = part.scores[rows][others[rows]]
            of_rows = np.zeros((len(rows), len(own) + 1))
            for side in ("left", "right"):  # equal to a pair is half above it
                above = np.searchsorted(ascending, scores, side=side)
                np.add.at(of_rows, (row, above), 0.5)
            counts += weights[:, part.train[rows]] @ of_rows
    of_pair, below = weights[:, owner], np.cumsum(counts, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((of_pair * below[:, :-1]).sum(1) / (of_pair.sum(1) * below[:, -1]))


def _is_pair(part: Scored, keys: Indices, n_test: int) -> NDArray[np.bool_]:
    return np.isin(part.train[:, None] * n_test + part.test, keys)
