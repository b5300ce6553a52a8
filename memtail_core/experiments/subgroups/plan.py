"""The long tail made visible: what each training example is, and what a practitioner does with it.

- ``duplicate``: nearly equals another training example, or a test example, of the same label.
- ``likely-mislabeled``: memorized, no test example rests on it strongly, and its label is more
  likely wrong than right (:mod:`memtail_core.estimation.label_noise`). Also one whose
  near-duplicate has another label that networks believe more.
- ``atypical-useful``: memorized otherwise: its label is plausible, or it carries a test example.
- ``typical``: not memorized.

Memorized examples and the test examples that significantly rest on them make up clusters: connected
parts of the graph of pairs, the subpopulations of Feldman & Zhang (2020).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memtail_core.data import Dataset
from memtail_core.data.near_duplicates import Nearest
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.influence import Pairs, PairsRule, counter_for, find
from memtail_core.estimation.label_noise import LabelNoise, label_noise
from memtail_core.running.trials import Trials

CATEGORIES = ("typical", "atypical-useful", "likely-mislabeled", "duplicate")
TYPICAL, USEFUL, MISLABELED, DUPLICATE = range(4)
DOUBTED = 0.5  # probability of a wrong label
STRONG = 0.3  # influence; wrong labels have weaker ones, on test examples that resemble the class
RULE = PairsRule(fdr=0.05)
_FEWEST_OUT = 5  # trials that held an example out, for anything to be said of its label

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Subgroups:
    """What each of n training examples is, and why.

    Attributes:
        category: int64 [n], of ``CATEGORIES``.
        scores: their memorization.
        label_probability: float64 [n], what networks that held the example out give its label, on
            average; of recipes without probabilities, how often they say it.
        noise: how many labels are wrong, by these, and how likely each.
        supports: int64 [n], test examples that significantly rest on it; strongest: float64 [n],
            the largest influence on one of them, 0 where there is none.
        duplicate_of: int64 [n], the near-duplicate's index, or −1; in_test: bool [n], whether that
            is a test example; other_label: bool [n], whether it has another label.
        pairs: the significant pairs.
        cluster: int64 [n], number of the cluster of memorized examples that it is in, by falling
            number of test examples, or −1; cluster_of_test: int64 [n_test], likewise.
        has_margins: whether ``label_probability`` is of probabilities.
    """

    category: Indices
    scores: Memorization
    label_probability: Floats
    noise: LabelNoise
    supports: Indices
    strongest: Floats
    duplicate_of: Indices
    in_test: NDArray[np.bool_]
    other_label: NDArray[np.bool_]
    pairs: Pairs
    cluster: Indices
    cluster_of_test: Indices
    has_margins: bool


def subgroups(
    trials: Trials,
    dataset: Dataset,
    in_train: Nearest,
    in_test: Nearest,
    rule: PairsRule = RULE,
    doubted: float = DOUBTED,
) -> Subgroups:
    """Tell the training examples apart.

    Args:
        trials: of a study, with margins where it keeps them.
        dataset: its data.
        in_train, in_test: each training example's nearest other one, and nearest test example.
        rule: which pairs count: memorized, of at least so much influence, significant.
        doubted: labels that are wrong with at least this probability are doubted.

    Raises:
        EstimationError: too few trials held the examples out.
    """
    scores = trials.counted()
    if scores.n_out.min() < _FEWEST_OUT:
        raise EstimationError(
            f"some examples were held out by only {scores.n_out.min()} of {len(trials)} models, "
            "too few to tell a mislabeled example from a rare one: train more (--trials)"
        )
    probability, has_margins = _label_probability(trials, scores)
    noise = label_noise(probability, len(dataset.classes))
    family = rule.family(scores.memorization, dataset.y_train, dataset.y_test)
    pairs = find(trials.evidence(), family, rule.theta_infl, rule.fdr, counter=counter_for("cpu"))
    supports = np.bincount(pairs.train_index, minlength=trials.n)
    strongest = np.zeros(trials.n)
    np.maximum.at(strongest, pairs.train_index, pairs.influence)
    partner, is_test, other = _duplicates(dataset, in_train, in_test)
    memorized = rule.is_memorized(scores.memorization)
    believed = np.full(trials.n, np.inf)  # the label of a test example is taken for right
    in_training = (partner >= 0) & ~is_test
    believed[in_training] = probability[partner[in_training]]
    category = np.full(trials.n, TYPICAL)
    category[memorized] = USEFUL
    category[memorized & (strongest < STRONG) & (noise.probability >= doubted)] = MISLABELED
    category[(partner >= 0) & ~other] = DUPLICATE
    category[other & (probability < np.minimum(believed, 0.5))] = MISLABELED
    cluster, cluster_of_test = _clusters(pairs, trials.n, trials.n_test)
    return Subgroups(
        category=category,
        scores=scores,
        label_probability=probability,
        noise=noise,
        supports=supports,
        strongest=strongest,
        duplicate_of=partner,
        in_test=is_test,
        other_label=other,
        pairs=pairs,
        cluster=cluster,
        cluster_of_test=cluster_of_test,
        has_margins=has_margins,
    )


def _label_probability(trials: Trials, scores: Memorization) -> tuple[Floats, bool]:
    """Mean of 1 / (1 + e^−margin) over the trials that held each example out.

    Without margins, the share of them that were right, with half a success and half a failure
    added (Jeffreys): of few trials none may be right by chance.
    """
    if trials.train_margin is None:
        return (scores.accuracy_out * scores.n_out + 0.5) / (scores.n_out + 1), False
    total = np.zeros(trials.n)
    for subset, margin in zip(trials.subset, trials.train_margin, strict=True):
        out = np.unpackbits(subset, count=trials.n) == 0
        total[out] += 1 / (1 + np.exp(-margin[out].astype(np.float64)))
    return total / scores.n_out, True


def _duplicates(
    dataset: Dataset, in_train: Nearest, in_test: Nearest
) -> tuple[Indices, NDArray[np.bool_], NDArray[np.bool_]]:
    """Each example's near-duplicate (−1: none), whether a test example, whether of other label."""
    found = [
        np.where(nearest.is_duplicate, nearest.distance, np.inf) for nearest in (in_train, in_test)
    ]
    is_test = found[1] < found[0]
    partner = np.where(is_test, in_test.partner, in_train.partner)
    is_there = np.isfinite(np.minimum(*found))
    label = np.where(is_test, dataset.y_test[in_test.partner], dataset.y_train[in_train.partner])
    other = is_there & (label != dataset.y_train)
    return np.where(is_there, partner, -1), is_test & is_there, other


def _clusters(pairs: Pairs, n: int, n_test: int) -> tuple[Indices, Indices]:
    """Connected parts of the graph of pairs, numbered by falling number of test examples."""
    ones = np.ones(len(pairs), np.int8)
    graph = coo_array((ones, (pairs.train_index, n + pairs.test_index)), (n + n_test, n + n_test))
    _, part = connected_components(graph, directed=False)
    linked = np.zeros(n + n_test, bool)
    linked[pairs.train_index] = linked[n + pairs.test_index] = True
    n_tests = np.bincount(part[n:][linked[n:]], minlength=part.max(initial=0) + 1)
    order = np.argsort(-n_tests, kind="stable")
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    cluster = np.where(linked, number[part], -1)
    return cluster[:n], cluster[n:]
