"""The evaluation of approximations, against brute force."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from memtail_core.approximations import Run, evaluate, named, reference
from memtail_core.approximations.evaluation import Measured, evaluated, reliability, timed
from memtail_core.approximations.method import Block
from memtail_core.approximations.pair_evaluation import pairs_evaluated, strongest
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from tests.conftest import Trained


class Fixed:
    """A method with fixed scores."""

    name, source, trains, ends_linear = "fixed", "here", False, False
    reads: tuple[str, ...] = ()

    def __init__(self, says: np.ndarray) -> None:
        self.says = says

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> np.ndarray:
        return self.says

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        return lambda train, test: self.says[np.ix_(train, test)].astype(np.float32)


def test_figures_and_intervals(dataset: Dataset) -> None:
    rng = np.random.default_rng(1)
    memorization = rng.beta(0.3, 2, size=2000)
    memorization[:100] = np.nan
    says = memorization + 0.1 * rng.normal(size=2000)
    says[:100] = 5
    found = evaluated(Fixed(says), dataset, [], memorization)
    known = slice(100, None)
    a, b = memorization[known], says[known]
    assert found.pearson.value == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert found.spearman.value == pytest.approx(stats.spearmanr(a, b).statistic)
    assert found.auroc.value == pytest.approx(roc_auc_score(a >= 0.25, b))
    top = {*np.argsort(-a)[:95]} & {*np.argsort(-b)[:95]}
    assert found.top.value == pytest.approx(len(top) / 95)
    for each in (found.pearson, found.spearman, found.top, found.auroc):
        assert each.value is not None
        assert each.low is not None
        assert each.high is not None
        assert each.low < each.value < each.high
    # Fisher's interval is for normal scores; these are not, so the widths agree roughly.
    z = np.arctanh(found.spearman.value or 0)
    low, high = np.tanh([z - 1.96 / 1900**0.5, z + 1.96 / 1900**0.5])
    assert (found.spearman.high or 0) - (found.spearman.low or 0) == pytest.approx(
        high - low, rel=0.6
    )


def test_what_is_not_defined_is_none(dataset: Dataset) -> None:
    found = evaluated(Fixed(np.ones(50)), dataset, [], np.linspace(0, 0.2, 50))
    assert found.pearson == found.auroc == Measured(None, None, None)


def test_the_reference_is_the_other_trials(trained: Trained) -> None:
    rest, scores = reference(trained.trials, 3)
    assert rest.trials.tolist() == list(range(3, 40))
    assert scores.n_in.max() <= 37
    with pytest.raises(EstimationError, match="at least 41"):
        reference(trained.trials, 21)


def test_reliability_is_how_well_two_halves_could_agree() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0.3, 0.2, size=20_000)
    noise = 0.1
    one, other = (truth + noise * rng.normal(size=20_000) for _ in range(2))
    nothing = np.zeros(0)
    error = np.full(20_000, noise)
    scores = Memorization(one, error, *[nothing] * 2, *[nothing.astype(int)] * 2, *[nothing] * 2)
    assert reliability(scores) == pytest.approx(np.corrcoef(one, other)[0, 1], abs=0.01)


def test_costs_count_what_is_read_once(dataset: Dataset, runs: Sequence[Run]) -> None:
    (gradient, curvature) = named(["gradient-norm", "input-curvature"]).methods
    for method in (gradient, curvature):
        for _ in range(2):
            _, cost = timed(method, runs, lambda m=method: m.scores(dataset, runs))
            parts = sum(run.seconds["training"] + run.seconds[method.reads[0]] for run in runs)
            assert parts <= cost.seconds < parts + 0.5
            one = np.mean([run.seconds["training"] for run in runs])
            assert cost.trainings == pytest.approx(cost.seconds / one)
    assert timed(Fixed(np.ones(3)), [], lambda: None)[1].trainings is None


@dataclass(frozen=True)
class Labels:
    """All that is asked of a dataset here."""

    y_train: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...] = ("a", "b", "c")


@pytest.fixture
def labels() -> Labels:
    rng = np.random.default_rng(3)
    return Labels(rng.integers(3, size=90), rng.integers(3, size=70))


def some_pairs(labels: Labels, n: int) -> tuple[np.ndarray, np.ndarray]:
    train, test = np.nonzero(labels.y_train[:, None] == labels.y_test)
    chosen = np.random.default_rng(4).permutation(len(train))[:n]
    return train[chosen], test[chosen]


@pytest.mark.parametrize("ties", [False, True])
def test_pairs_against_all_of_them_at_once(labels: Labels, ties: bool) -> None:
    rng = np.random.default_rng(5)
    train, test = some_pairs(labels, 25)
    says = rng.normal(size=(90, 70))
    says[train, test] += 1.5
    says = says.round(1 if ties else 9).astype(np.float32)
    found = pairs_evaluated(Fixed(says), labels, [], train, test)  # type: ignore[arg-type]
    is_same = labels.y_train[:, None] == labels.y_test
    is_pair = np.zeros((90, 70), bool)
    is_pair[train, test] = True
    assert (found.pairs, found.candidates) == (25, is_same.sum())
    assert found.auroc.value == pytest.approx(roc_auc_score(is_pair[is_same], says[is_same]))
    assert found.auroc.low is not None
    assert found.auroc.high is not None
    assert found.auroc.low < (found.auroc.value or 0) < found.auroc.high
    if not ties:
        order = np.argsort(-says[is_same])
        assert found.precision.value == pytest.approx(is_pair[is_same][order[:25]].mean())
        assert found.wider.value == pytest.approx(is_pair[is_same][order[:250]].sum() / 25)


def test_the_interval_of_pairs_is_that_of_redrawn_training_examples(labels: Labels) -> None:
    """Compared with a plain bootstrap that repeats rows: the same distribution, other draws."""
    rng = np.random.default_rng(6)
    train, test = some_pairs(labels, 40)
    says = rng.normal(size=(90, 70)).astype(np.float32)
    says[train, test] += 1
    found = pairs_evaluated(Fixed(says), labels, [], train, test)  # type: ignore[arg-type]
    is_pair = np.zeros((90, 70), bool)
    is_pair[train, test] = True
    values = []
    for _ in range(300):
        rows = rng.integers(90, size=90)
        is_same = labels.y_train[rows][:, None] == labels.y_test
        values.append(roc_auc_score(is_pair[rows][is_same], says[rows][is_same]))
    low, high = np.quantile(values, [0.025, 0.975])
    assert found.auroc.low == pytest.approx(low, abs=0.02)
    assert found.auroc.high == pytest.approx(high, abs=0.02)


def test_the_strongest_pairs_are_of_one_class_and_in_order(labels: Labels) -> None:
    says = np.random.default_rng(7).normal(size=(90, 70)).astype(np.float32)
    train, test, scores = strongest(Fixed(says).between(None, []), labels, 15)  # type: ignore[arg-type]
    is_same = labels.y_train[:, None] == labels.y_test
    best = np.sort(says[is_same])[::-1][:15]
    assert (scores == best).all()
    assert (says[train, test] == scores).all()
    assert (labels.y_train[train] == labels.y_test[test]).all()


@pytest.mark.slow
def test_a_whole_study_is_evaluated(
    dataset: Dataset, runs: Sequence[Run], trained: Trained
) -> None:
    """Runs of other labels say little of this study, but the table is made all the same."""
    found = evaluate(named(["all"]), dataset, trained.trials, runs, whole=False)
    assert found.reference == 37
    assert found.runs == 3
    assert [each.method for each in found.methods] == [m.name for m in named([]).methods]
    assert 0.5 < (found.ceiling or 0) <= 1
    assert found.as_dict()["methods"][0]["pearson"]["value"] is not None
