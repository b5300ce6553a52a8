"""Subgroups of a made-up study of which everything is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from memtail_core.data import Dataset
from memtail_core.data.near_duplicates import Nearest
from memtail_core.errors import EstimationError
from memtail_core.estimation import memorization
from memtail_core.estimation.influence import Pairs, PairsRule, counter_for, find
from memtail_core.experiments.subgroups.plan import (
    clusters,
    label_probability,
    near_duplicates,
    subgroups,
)
from memtail_core.experiments.subgroups.result import Member, Subgroups
from memtail_core.experiments.subgroups.section import section
from memtail_core.running.trials import Trials
from memtail_core.study import Study
from tests.conftest import Trained

N, N_TEST, T = 120, 60, 400
FLIPPED, ODD, RARE, COPIED = range(5), range(5, 12), range(12, 16), (20, 21, 22)
CARRIED = {12: (0, 1), 13: (1, 2), 14: (3,), 15: (4,)}  # test examples of each rare one


def of_size(study: Study) -> Study:
    """The study, as if it had N training examples."""
    return study.model_copy(update={"dataset": study.dataset.model_copy(update={"n_train": N})})


def made(seed: int = 0, *, with_margins: bool = True) -> tuple[Trials, Dataset]:
    """Typical ones are always right; the others only when trained on, with known confidence."""
    rng = np.random.default_rng(seed)
    y, y_test = np.arange(N) % 4, np.arange(N_TEST) % 4
    for rare, tests in CARRIED.items():
        y_test[list(tests)] = y[rare]
    y_test[1], y[13] = y[12], y[12]  # shared by two
    y_test[2] = y[13]
    member = rng.random((T, N)) < 0.7
    held_out = np.full(N, 0.99)
    held_out[FLIPPED], held_out[ODD], held_out[RARE] = 0.0005, 0.3, 0.004
    probability = np.where(member, 0.99, held_out)
    correct = probability > 0.5
    test = np.ones((T, N_TEST), bool)
    for j in range(5):
        carriers = [rare for rare, tests in CARRIED.items() if j in tests]
        test[:, j] = member[:, carriers].any(axis=1) | (rng.random(T) < 0.1)
    margin = np.log(probability / (1 - probability)).astype(np.float16)
    trials = Trials(
        n=N,
        n_test=N_TEST,
        subset=np.packbits(member, axis=1),
        train_correct=np.packbits(correct, axis=1),
        test_correct=np.packbits(test, axis=1),
        train_values=margin if with_margins else None,
        test_values=np.zeros((T, N_TEST), np.float16) if with_margins else None,
        trials=np.arange(T),
        seconds=np.ones(T),
        about=(),
    )
    x = rng.normal(size=(N + N_TEST, 3))
    return trials, Dataset.from_arrays(x[:N], y, x[N:], y_test, classes=list("abcd"))


def nearest(n: int, found: dict[int, int]) -> Nearest:
    partner, distance, ratio = np.zeros(n, np.int64), np.ones(n), np.linspace(0.8, 0.95, n)
    for i, j in found.items():
        partner[i], distance[i], ratio[i] = j, 1e-4, 0.01
    return Nearest(partner, distance.astype(np.float32), ratio.astype(np.float32))


NONE: dict[int, int] = {}


def members(result: Subgroups) -> dict[int, Member]:
    return {each.index: each for each in result.members}


def categories(result: Subgroups) -> np.ndarray:
    """Of every example, by its index."""
    named = np.full(result.examples, "typical", dtype=object)
    for each in result.members:
        named[each.index] = each.category
    return named


def test_each_example_is_what_it_was_made_to_be(trained: Trained) -> None:
    trials, dataset = made()
    in_train, in_test = nearest(N, {20: 24, 24: 20}), nearest(N, {22: 6})
    result = subgroups(of_size(trained.study), trials, dataset, in_train, in_test)
    named = categories(result)
    assert set(named[list(FLIPPED)]) == {"likely-mislabeled"}
    assert set(named[list(ODD)]) == {"atypical-useful"}, "plausible labels, nothing rests on them"
    assert set(named[list(RARE)]) == {"atypical-useful"}, (
        "implausible, but test examples rest on it"
    )
    assert set(named[[20, 24, 22]]) == {"duplicate"}
    assert set(named[25:]) == {"typical"}
    of = members(result)
    assert [of[i].supports for i in RARE] == [2, 2, 1, 1]
    assert [of[i].duplicate_in for i in (20, 22)] == ["train", "test"]
    assert [of[i].duplicate_of for i in (20, 22)] == [24, 6]
    partner, is_in_test, has_other_label = near_duplicates(dataset, in_train, in_test)
    assert partner[[20, 22, 30]].tolist() == [24, 6, -1]
    assert is_in_test[[20, 22]].tolist() == [False, True]
    assert not has_other_label.any()
    assert result.noise == pytest.approx(len(FLIPPED) / N, abs=0.06)


@pytest.mark.parametrize("with_margins", [True, False])
def test_label_probabilities_are_of_networks_that_held_the_example_out(
    trained: Trained, *, with_margins: bool
) -> None:
    trials, dataset = made(with_margins=with_margins)
    scores = memorization(trials.subset, trials.train_correct, N)
    probability, n_out = label_probability(trials, dataset.y_train), scores.n_out
    if with_margins:
        assert probability[list(FLIPPED)] == pytest.approx(0.0005, rel=0.05)
        assert probability[list(ODD)] == pytest.approx(0.3, rel=0.02)
    else:
        assert probability[0] == pytest.approx(0.5 / (n_out[0] + 1))
        assert probability[99] == pytest.approx((n_out[99] + 0.5) / (n_out[99] + 1))
    result = subgroups(of_size(trained.study), trials, dataset, nearest(N, NONE), nearest(N, NONE))
    assert result.has_margins == with_margins
    for each in result.members:
        assert each.label_probability == probability[each.index]
        if with_margins:
            assert each.wrong_low <= each.wrong_probability <= each.wrong_high
        else:
            assert each.wrong_low is each.wrong_high is None


def pairs_of(trials: Trials, dataset: Dataset, rule: PairsRule) -> Pairs:
    scores = memorization(trials.subset, trials.train_correct, N).memorization
    family = rule.family(scores, dataset.y_train, dataset.y_test)
    return find(trials.evidence(), family, rule.theta_infl, rule.fdr, counter=counter_for("cpu"))


def test_clusters_are_connected_by_test_examples_they_share(trained: Trained) -> None:
    trials, dataset = made()
    rule = PairsRule(fdr=0.01)
    pairs = pairs_of(trials, dataset, rule)
    edges = list(zip(pairs.train_index.tolist(), pairs.test_index.tolist(), strict=True))
    assert set(edges) == {(i, j) for i, tests in CARRIED.items() for j in tests}
    cluster, of_test = clusters(pairs, N, N_TEST)
    assert cluster[[12, 13]].tolist() == [0, 0]
    assert of_test[:5].tolist() == [0, 0, 0, cluster[14], cluster[15]]
    assert sorted(cluster[[14, 15]].tolist()) == [1, 2]
    assert (np.delete(cluster, list(RARE)) == -1).all()
    assert (of_test[5:] == -1).all()
    result = subgroups(
        of_size(trained.study), trials, dataset, nearest(N, NONE), nearest(N, NONE), rule
    )
    assert {i: each.cluster for i, each in members(result).items() if each.cluster is not None} == {
        i: cluster[i] for i in RARE
    }
    for number, each in enumerate(result.clusters):
        assert each.train == np.flatnonzero(cluster == number).tolist()
        assert each.test == np.flatnonzero(of_test == number).tolist()


def test_of_copies_with_different_labels_the_less_believed_is_mislabeled(trained: Trained) -> None:
    trials, dataset = made()
    assert dataset.y_train[0] != dataset.y_train[25]
    in_train, in_test = nearest(N, {0: 25, 25: 0}), nearest(N, {50: 7})
    named = categories(subgroups(of_size(trained.study), trials, dataset, in_train, in_test))
    assert named[0] == "likely-mislabeled"
    assert named[25] == "typical"
    assert near_duplicates(dataset, in_train, in_test)[2][[0, 25]].all()
    assert dataset.y_train[50] != dataset.y_test[7]
    assert named[50] == "typical", "a believed label is not doubted for a test example's"


def test_the_only_example_of_its_class_is_not_called_mislabeled(trained: Trained) -> None:
    """Networks that held it out have never seen its class: they cannot judge its label.

    https://github.com/cleanlab/cleanlab/issues/641 says the same of very rare classes.
    """
    trials, dataset = made()
    y = dataset.y_train.copy()
    y[[0, 5, 12]] = 4, 5, 6  # one flipped, one odd, one rare; each alone in a class of its own
    alone = Dataset.from_arrays(
        dataset.train.whole(), y, dataset.test.whole(), dataset.y_test, classes=list("abcdefg")
    )
    result = subgroups(of_size(trained.study), trials, alone, nearest(N, NONE), nearest(N, NONE))
    named = categories(result)
    assert set(named[[0, 5, 12]]) == {"only-of-class"}
    assert set(named[[1, 2, 3, 4]]) == {"likely-mislabeled"}, "others of their class are judged"
    for i in (0, 5, 12):
        assert members(result)[i].label_probability is None
        assert members(result)[i].wrong_probability is None
        assert members(result)[i].wrong_low is members(result)[i].wrong_high is None
    assert {each.index for each in result.members[-3:]} == {0, 5, 12}
    written = section(result, alone)
    assert any("alone in their class: 3 examples" in each for each in written.findings)
    assert "only-of-class" in written.summary.rows[-1]


def test_one_of_two_in_a_class_is_judged_by_networks_that_saw_the_other(trained: Trained) -> None:
    trials, dataset = made()
    y = dataset.y_train.copy()
    y[[0, 99]] = 4
    member = np.unpackbits(trials.subset, axis=1, count=N).astype(bool)
    margin = np.array(trials.train_values)
    margin[~member[:, 99], 0] = -np.inf  # without the other, the class is unheard of
    judged = label_probability(replace(trials, train_values=margin), y)
    assert judged[0] == pytest.approx(0.0005, rel=0.05)


def test_a_copy_with_a_believed_label_makes_the_only_example_of_its_class_doubtful(
    trained: Trained,
) -> None:
    """A misspelt label makes a class of its own."""
    trials, dataset = made()
    y = dataset.y_train.copy()
    y[0] = 4
    misspelt = Dataset.from_arrays(
        dataset.train.whole(), y, dataset.test.whole(), dataset.y_test, classes=list("abcde")
    )
    copies = nearest(N, {0: 25, 25: 0})
    named = categories(
        subgroups(of_size(trained.study), trials, misspelt, copies, nearest(N, NONE))
    )
    assert (named[0], named[25]) == ("likely-mislabeled", "typical")


def test_few_held_out_trials_are_refused(trained: Trained) -> None:
    trials, dataset = made()
    few, none = trials.taken(np.arange(12)), nearest(N, NONE)
    with pytest.raises(EstimationError, match=r"held out by only \d of 12 models.*--trials"):
        subgroups(of_size(trained.study), few, dataset, none, none)


def test_what_is_kept_holds_all_that_is_not_typical(trained: Trained) -> None:
    trials, dataset = made()
    none = nearest(N, NONE)
    kept = subgroups(of_size(trained.study), trials, dataset, nearest(N, {20: 24}), none)
    assert (kept.trials, kept.examples, kept.fdr, kept.doubted) == (T, N, 0.05, 0.5)
    assert sum(kept.counts.values()) == N
    assert len(kept.members) == N - kept.counts["typical"]
    assert next(each.index for each in kept.members) == 20, "duplicates, then the least plausible"
    mislabeled = [each for each in kept.members if each.category == "likely-mislabeled"]
    assert sorted(each.index for each in mislabeled) == list(FLIPPED)
    assert kept.carried == 5
    assert kept.n_clusters == 3
    assert kept.clusters[0].train == [12, 13]
    assert kept.clusters[0].test == [0, 1, 2]
    text = kept.model_dump_json()
    assert "NaN" not in text
    assert Subgroups.model_validate(json.loads(text)) == kept
