"""Removal: what is chosen, by which half of the trials, and how the arms are compared."""

import numpy as np
import pytest
from scipy import stats

from memtail_core import estimation
from memtail_core.analysis.halves import two_halves
from memtail_core.catalogue import register_arms
from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.paired import holm, p_of_none, paired_difference
from memtail_core.experiments.removal.plan import Plan, analyse, plan
from memtail_core.experiments.removal.result import Removal
from memtail_core.plan import designs
from memtail_core.running import execution
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained

EASY = PairsRule(theta_infl=0.3)


@pytest.fixture
def planned(trained: Trained) -> Plan:
    return plan(trained.study, trained.trials, trained.dataset, (0.25, 0.6, 2.0), EASY)


def test_halves_are_whole_blocks(trained: Trained) -> None:
    one, other = two_halves(trained.study, trained.trials)
    assert one.trials.tolist() == [*range(10), *range(20, 30)]
    assert other.trials.tolist() == [*range(10, 20), *range(30, 40)]
    assert (one.subset == trained.trials.subset[one.trials]).all()
    assert (other.test_correct == trained.trials.test_correct[other.trials]).all()


def test_too_few_trials_are_refused_in_words(trained: Trained) -> None:
    few = trained.trials.taken(np.arange(30))
    with pytest.raises(EstimationError, match=r"has 30 models, too few .* --trials 40"):
        plan(trained.study, few, trained.dataset)


def test_one_half_chooses_and_the_other_judges(trained: Trained, planned: Plan) -> None:
    choosing, judging = two_halves(trained.study, trained.trials)
    n = trained.trials.n
    chosen = estimation.memorization(choosing.subset, choosing.train_correct, n).memorization
    for cut in planned.cuts:
        if cut.threshold is not None:
            assert cut.chosen.tolist() == np.flatnonzero(chosen >= cut.threshold - 1e-9).tolist()
    sizes = [len(cut.chosen) for cut in planned.cuts]
    assert sizes == sorted(sizes, reverse=True)
    assert {cut.threshold for cut in planned.cuts} == {None, 0.25, 0.6}
    assert planned.dropped == (2.0,), "it selects nothing"
    assert planned.test_in_pairs.tolist() == _in_pairs(judging, trained).tolist()
    assert planned.test_in_pairs.tolist() != _in_pairs(choosing, trained).tolist()


def _in_pairs(trials: Trials, trained: Trained) -> np.ndarray:
    """Test examples in pairs, from the dense matrix."""
    member = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(float)
    right = np.unpackbits(trials.train_correct, axis=1, count=trials.n).astype(float)
    test = np.unpackbits(trials.test_correct, axis=1, count=trials.n_test).astype(float)
    inside, outside = member.sum(0)[:, None], (1 - member).sum(0)[:, None]
    influence = member.T @ test / inside - (1 - member).T @ test / outside
    memorized = (member * right).sum(0) / inside[:, 0]
    memorized -= ((1 - member) * right).sum(0) / outside[:, 0]
    same = trained.dataset.y_train[:, None] == trained.dataset.y_test
    return np.asarray(
        ((memorized >= 0.25 - 1e-9)[:, None] & same & (influence >= 0.3 - 1e-9)).any(axis=0)
    )


def test_arms_are_each_cut_and_as_many_random_ones(trained: Trained, planned: Plan) -> None:
    rows = designs.subsets(planned.study, range(2 * len(planned.arms)), planned.arms)
    assert rows[0].all()
    for k, cut in enumerate(planned.cuts):
        memorized, random = rows[1 + 2 * k], rows[2 + 2 * k]
        assert np.flatnonzero(~memorized).tolist() == cut.chosen.tolist()
        assert (~random).sum() == len(cut.chosen)
        again = rows[len(planned.arms) + 2 + 2 * k]
        assert (~again).sum() == len(cut.chosen)
    assert planned.study.training == trained.study.training
    assert planned.study.name == "digits-removal"


def test_duplicates_are_left_out_everywhere(trained: Trained) -> None:
    duplicates = np.zeros(trained.trials.n, bool)
    duplicates[:20] = True
    found = plan(
        trained.study, trained.trials, trained.dataset, (0.25,), EASY, duplicates=duplicates
    )
    rows = designs.subsets(found.study, range(len(found.arms)), found.arms)
    assert not rows[:, :20].any()
    assert rows[0, 20:].all()
    sizes = rows.sum(axis=1)
    assert (sizes[1::2] == sizes[2::2]).all(), "random arms are as large as those they control"


def test_nothing_to_remove_is_said(trained: Trained) -> None:
    never = PairsRule(theta_mem=2.0)
    with pytest.raises(EstimationError, match=r"memorization goes up to \d\.\d\d.*--thresholds"):
        plan(trained.study, trained.trials, trained.dataset, (2.0,), never)
    with pytest.raises(EstimationError, match="10% of every class"):
        plan(trained.study, trained.trials, trained.dataset, (-1.0,), never)


def made(planned: Plan, test_correct: np.ndarray, trained: Trained) -> Trials:
    """Trials of the arms that say what is wanted of them."""
    n_trials, n = len(test_correct), trained.trials.n
    subset = designs.subsets(planned.study, range(n_trials), planned.arms)
    return Trials(
        n=n,
        n_test=test_correct.shape[1],
        subset=np.packbits(subset, axis=1),
        train_correct=np.packbits(np.ones((n_trials, n), bool), axis=1),
        test_correct=np.packbits(test_correct, axis=1),
        train_values=None,
        test_values=None,
        trials=np.arange(n_trials),
        seconds=np.ones(n_trials),
        about=(),
    )


def test_figures_are_those_of_the_arms(trained: Trained, planned: Plan) -> None:
    rng = np.random.default_rng(0)
    arms, repeats, n_test = len(planned.arms), 6, trained.trials.n_test
    rate = np.linspace(0.95, 0.5, arms)[None, :, None]
    correct = rng.random((repeats, arms, n_test)) < rate
    flat = np.concatenate(
        [correct.reshape(-1, n_test), correct[0, :2]]
    )  # a repeat that is not whole
    found = analyse(trained.study, planned, made(planned, flat, trained))
    assert found.repeats == repeats
    accuracy = correct.mean(axis=2)
    assert found.whole.each == accuracy[:, 0].tolist()
    for k, cut in enumerate(found.cuts):
        memorized, random = accuracy[:, 1 + 2 * k], accuracy[:, 2 + 2 * k]
        assert cut.memorized.mean == pytest.approx(memorized.mean())
        assert cut.random.sd == pytest.approx(random.std(ddof=1))
        oracle = stats.ttest_rel(random, memorized)
        low, high = oracle.confidence_interval(0.95)
        assert (cut.difference.low, cut.difference.high) == pytest.approx((low, high))
        parts = cut.drop_in_pairs.mean + cut.drop_elsewhere.mean
        assert parts == pytest.approx(cut.drop.mean)
        chosen = planned.test_in_pairs
        lost = correct[:, 0][:, chosen].sum() - correct[:, 1 + 2 * k][:, chosen].sum()
        assert cut.drop_in_pairs.mean == pytest.approx(lost / repeats / n_test)
        assert cut.left == 1 - len(planned.cuts[k].chosen) / trained.trials.n


def test_one_repeat_is_too_few(trained: Trained, planned: Plan) -> None:
    correct = np.ones((len(planned.arms), trained.trials.n_test), bool)
    with pytest.raises(EstimationError, match="at least 2 --repeats"):
        analyse(trained.study, planned, made(planned, correct, trained))


@pytest.mark.slow
def test_without_any_difference_few_are_found(trained: Trained, planned: Plan) -> None:
    """All arms alike: a significant cut in at most about 5% of experiments (family-wise)."""
    rng = np.random.default_rng(1)
    shape = (5 * len(planned.arms), trained.trials.n_test)
    found = 0
    for _ in range(400):
        trials = made(planned, rng.random(shape) < 0.9, trained)
        found += any(cut.p_value <= 0.05 for cut in analyse(trained.study, planned, trials).cuts)  # type: ignore[operator]
    assert found <= stats.binom.ppf(0.999, 400, 0.05)


def test_intervals_of_paired_differences_cover() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(2000):
        found = paired_difference(rng.normal(0.3, 0.1, 5), 1e-3)
        covered += found.low <= 0.3 <= found.high  # type: ignore[operator]
    assert abs(covered / 2000 - 0.95) < 0.02


def test_p_values_and_their_correction() -> None:
    values = np.array([0.3, 0.1, 0.4, -0.1])
    assert p_of_none(values, 0.01) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert p_of_none(np.zeros(3), 0.01) == 1
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # Holm's own steps by hand
    assert holm([]) == []


def test_repeats_that_agree_exactly_are_not_certain() -> None:
    """With 114 test examples two networks often get the same number right."""
    one_lost = np.full(2, 1 / 114)
    found = paired_difference(one_lost, 1 / 114)
    assert found.low < 0 < found.high  # type: ignore[operator]
    assert p_of_none(one_lost, 1 / 114) > 0.1


@pytest.mark.slow
def test_an_experiment_of_real_networks_resumes(trained: Trained, planned: Plan, tmp_path) -> None:  # type: ignore[no-untyped-def]
    store = FilesStore(tmp_path)
    register_arms(store, planned.study, planned.arms)
    n = 2 * len(planned.arms)
    some = execution.run(planned.study, store, trained.dataset, n - 3, workers=1, stack=1)
    assert len(some) == n - 3
    every = execution.run(planned.study, store, trained.dataset, n, workers=1, stack=1)
    assert every.test_correct[: n - 3].tobytes() == some.test_correct.tobytes()
    found = analyse(trained.study, planned, every)
    assert found.whole.held_in > 0.95
    assert found == Removal.model_validate_json(found.model_dump_json())
