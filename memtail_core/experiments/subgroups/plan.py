"""Sort the training examples of a study into typical, useful, mislabeled and duplicate ones."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memtail_core.analysis.observations import estimate, observations
from memtail_core.data import Dataset
from memtail_core.data.near_duplicates import Nearest
from memtail_core.errors import EstimationError
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import UNKNOWN, Estimator
from memtail_core.estimation.influence import Pairs, PairsRule, counter_for, find
from memtail_core.estimation.label_noise import LabelNoise, label_noise
from memtail_core.estimation.label_noise_intervals import wrong_label_intervals
from memtail_core.experiments.subgroups.result import (
    CATEGORIES,
    STRONG,
    Cluster,
    Member,
    Subgroups,
)
from memtail_core.running.trials import Trials
from memtail_core.study import Study

TYPICAL, USEFUL, MISLABELED, DUPLICATE, ALONE = range(5)  # of CATEGORIES
_ORDER = np.array([0, 2, 3, 4, 1])  # of each category in the list of members, descending
DOUBTED = 0.5  # probability of a wrong label
FDR = 0.05  # false discovery rate of pairs
_FEWEST_OUT = 5  # trials that held an example out, to judge its label
_CLUSTERS = 12  # kept

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


def subgroups(
    study: Study,
    trials: Trials,
    dataset: Dataset,
    in_train: Nearest,
    in_test: Nearest,
    rule: PairsRule | None = None,
    doubted: float = DOUBTED,
    estimator: Estimator = COUNTED,
) -> Subgroups:
    """Say what each training example is.

    Args:
        study, trials, dataset: the study, its trials, with margins where it has them, its data.
        in_train, in_test: each training example's nearest other one, and nearest test example.
        rule: which pairs count: of memorized examples, of at least some influence, significant;
            by default the paper's rule at a false discovery rate of 5%.
        doubted: labels that are wrong with at least this probability are doubted.
        estimator: estimates memorization.

    Raises:
        EstimationError: too few trials held the examples out.
    """
    rule = rule or PairsRule(fdr=FDR)
    studied = study.candidates
    fewest_out = trials.counted().n_out[studied].min()
    if fewest_out < _FEWEST_OUT:
        raise EstimationError(
            f"some examples were held out by only {fewest_out} of {len(trials)} models, "
            "too few to tell a mislabeled example from a rare one: train more (--trials)"
        )
    scores = estimate(study, observations(trials, dataset), estimator)
    probability = label_probability(trials, dataset.y_train)
    noise = label_noise(probability, len(dataset.classes))
    family = rule.family(scores.memorization, dataset.y_train, dataset.y_test)
    pairs = find(trials.evidence(), family, rule.theta_infl, rule.fdr, counter=counter_for("cpu"))
    supports = np.bincount(pairs.train_index, minlength=trials.n)
    strongest = np.zeros(trials.n)
    np.maximum.at(strongest, pairs.train_index, pairs.influence)
    partner, is_in_test, has_other_label = near_duplicates(dataset, in_train, in_test)
    believed = np.full(trials.n, np.inf)  # the label of a test example is taken to be right
    has_copy = (partner >= 0) & ~is_in_test
    believed[has_copy] = probability[partner[has_copy]]
    is_alone = np.bincount(dataset.y_train)[dataset.y_train] == 1
    memorized = rule.is_memorized(scores.memorization)
    category = np.full(trials.n, TYPICAL)
    category[memorized] = USEFUL
    category[memorized & (strongest < STRONG) & (noise.probability >= doubted)] = MISLABELED
    category[memorized & is_alone] = ALONE
    category[(partner >= 0) & ~has_other_label] = DUPLICATE
    doubtful = np.nan_to_num(probability, nan=0.0) < np.minimum(believed, 0.5)
    category[has_other_label & doubtful] = MISLABELED
    cluster, cluster_of_test = clusters(pairs, trials.n, trials.n_test)

    order = np.lexsort((-scores.memorization, probability, -_ORDER[category]))
    order = order[np.isin(order, studied)]
    listed = order[category[order] != TYPICAL]
    wrong_low, wrong_high = wrong_intervals(trials, dataset, noise, listed)

    def member(place: int, i: int) -> Member:
        return Member(
            index=i,
            category=CATEGORIES[category[i]],
            **{
                name: float(getattr(scores, name)[i])
                for name in ("memorization", "ci_low", "ci_high", "accuracy_in", "accuracy_out")
            },
            label_probability=float(probability[i]),
            wrong_probability=float(noise.probability[i]),
            wrong_low=float(wrong_low[place]),
            wrong_high=float(wrong_high[place]),
            supports=int(supports[i]),
            strongest=float(strongest[i]),
            duplicate_of=int(partner[i]) if partner[i] >= 0 else None,
            duplicate_in=None if partner[i] < 0 else "test" if is_in_test[i] else "train",
            duplicate_has_other_label=bool(has_other_label[i]),
            cluster=int(cluster[i]) if cluster[i] >= 0 else None,
        )

    counts = np.bincount(category[studied], minlength=len(CATEGORIES)).tolist()
    n_clusters = int(cluster.max(initial=-1)) + 1
    return Subgroups(
        study=study.id,
        trials=len(trials),
        examples=len(studied),
        counts=dict(zip(CATEGORIES, counts, strict=True)),
        carried=len(np.unique(pairs.test_index)),
        theta_mem=rule.theta_mem,
        theta_infl=rule.theta_infl,
        fdr=rule.fdr,
        doubted=doubted,
        noise=noise.rate,
        estimator=estimator.name,
        has_margins=trials.train_values is not None,
        members=[member(place, int(i)) for place, i in enumerate(listed)],
        clusters=[
            Cluster(
                train=np.flatnonzero(cluster == k).tolist(),
                test=np.flatnonzero(cluster_of_test == k).tolist(),
            )
            for k in range(min(n_clusters, _CLUSTERS))
        ],
        n_clusters=n_clusters,
    )


def label_probability(trials: Trials, y: Indices) -> Floats:
    """Return how probable networks that held an example out find its label, float64 [n].

    That is the mean of 1 / (1 + e^−margin) over those trials. Without margins it is the share of
    them that predict the label, with half a success and half a failure added (Jeffreys), because
    among few trials all can be wrong by chance. A network that trained on no other example of the
    class says nothing about its labels, and does not count: NaN if no network is left.

    Args:
        trials: with margins or without.
        y: int64 [n], the classes.

    Raises:
        EstimationError: imported trials have no outcomes of training examples.
    """
    if trials.train_correct is None:
        raise EstimationError(UNKNOWN)
    total, judges = np.zeros(trials.n), np.zeros(trials.n)
    for k, judged in enumerate(_judged(trials, y)):
        if trials.train_values is None:
            total += judged & np.unpackbits(trials.train_correct[k], count=trials.n).astype(bool)
        else:
            total[judged] += 1 / (1 + np.exp(-trials.train_values[k][judged].astype(np.float64)))
        judges += judged
    added = 0.5 if trials.train_values is None else 0.0
    with np.errstate(invalid="ignore"):
        return np.where(judges > 0, (total + added) / (judges + 2 * added), np.nan)


def wrong_intervals(
    trials: Trials, dataset: Dataset, noise: LabelNoise, of: Indices
) -> tuple[Floats, Floats]:
    """Return the 95% intervals of the probability that a label is wrong, float64 [len(of)] each.

    NaN without margins.
    """
    if trials.train_values is None:
        low, high = np.full((2, len(of)), np.nan)
        return low, high
    judged = np.stack(list(_judged(trials, dataset.y_train)))
    return wrong_label_intervals(noise, trials.train_values, judged, len(dataset.classes), of)


def _judged(trials: Trials, y: Indices) -> Iterator[Mask]:
    """Which examples each trial held out, and knows another example of their class, bool [n]."""
    for subset in trials.subset:
        inside = np.unpackbits(subset, count=trials.n).astype(bool)
        knows = np.bincount(y[inside], minlength=y.max() + 1) > 0
        yield ~inside & knows[y]


def near_duplicates(
    dataset: Dataset, in_train: Nearest, in_test: Nearest
) -> tuple[Indices, Mask, Mask]:
    """Return each example's near-duplicate, whether it is a test example, and of other label.

    Returns:
        int64 [n], its index, or −1; bool [n]; bool [n].
    """
    distances = [
        np.where(nearest.is_duplicate, nearest.distance, np.inf) for nearest in (in_train, in_test)
    ]
    is_test = distances[1] < distances[0]
    partner = np.where(is_test, in_test.partner, in_train.partner)
    exists = np.isfinite(np.minimum(*distances))
    label = dataset.y_train[in_train.partner]
    label[is_test] = dataset.y_test[in_test.partner[is_test]]
    has_other_label = exists & (label != dataset.y_train)
    return np.where(exists, partner, -1), is_test & exists, has_other_label


def clusters(pairs: Pairs, n: int, n_test: int) -> tuple[Indices, Indices]:
    """Return the connected parts of the graph of pairs, the one with most test examples first.

    Returns:
        int64 [n] and int64 [n_test], the number of the cluster each example is in, or −1.
    """
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
