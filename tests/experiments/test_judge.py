"""The judge: what it reads, what it sums, whom it lets judge."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from memtail_core.errors import EstimationError
from memtail_core.experiments.judge import reading
from memtail_core.experiments.judge.named import counted, method_of
from memtail_core.experiments.judge.plan import Known, Split, asked, check_independent, split
from memtail_core.experiments.judge.plan import judge as judged
from memtail_core.experiments.judge.reading import BY_MEMORIZATION, Question, read
from memtail_core.experiments.judge.result import Judgement
from memtail_core.experiments.judge.retraining import ceiling_study
from memtail_core.experiments.judge.scores import Scores, from_file
from memtail_core.experiments.judge.section import section
from memtail_core.plan import designs
from memtail_core.running import loading
from memtail_core.running.matrices import included
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained


@pytest.fixture(scope="module")
def trials(trained: Trained) -> Trials:
    """The 40 trials of the shared study, with margins."""
    return loading.load(FilesStore(trained.folder), trained.study, values=True)[0]


@pytest.fixture
def dense() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(300, 100))


def question_of(
    trials: Trials, making: int = 0, tests: Sequence[int] = (), most: int = 0
) -> Question:
    """What the trials from ``making`` on are asked for, of margins."""
    judging = trials.taken(np.arange(making, len(trials)))
    parts = Split(trials.taken(np.arange(making)), judging, judging.trials // 10)
    return asked(trials, parts, "margin", np.array(tests, np.int64), most)


def judge(trained: Trained, parts: Split, every: Sequence[Scores], **known: Any) -> Judgement:
    """Read and judge, by margins."""
    question = asked(parts.judging, parts, "margin", np.zeros(0, np.int64), 0)
    readings = [read(each, question) for each in every]
    return judged(
        trained.study, trained.dataset, parts, question, readings,
        outcome="margin", known=Known(**known),
    )  # fmt: skip


def scores_of(trained: Trained, array: np.ndarray[Any, Any], path: Path) -> Scores:
    np.save(path / "mine.npy", array)
    return from_file(str(path / "mine.npy"), trained.dataset, trained.study.id)


def test_sums_over_subsets_are_ranked(
    trained: Trained, trials: Trials, dense: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    inside = np.unpackbits(trials.subset, axis=1, count=300)
    found = read(scores_of(trained, dense, tmp_path), question_of(trials, tests=[3, 50], most=7))
    assert trials.test_values is not None
    predicted, margins = inside @ dense, trials.test_values.astype(float)
    rho = [spearmanr(predicted[:, z], margins[:, z]).statistic for z in range(100)]
    np.testing.assert_allclose(found.score.rho, rho, atol=1e-4)
    np.testing.assert_allclose(found.harm, -dense.mean(axis=1))
    np.testing.assert_array_equal(found.highest, np.argsort(-dense[:, [3, 50]], axis=0)[:7])
    for start, step in ((0, 8), (296, 8), (64, 500)):
        part = inside[:, start : start + step]
        np.testing.assert_array_equal(included(trials, start, step), part)


def test_each_group_by_memorization_predicts_by_itself(
    trained: Trained, trials: Trials, dense: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    question = question_of(trials)
    found = read(scores_of(trained, dense, tmp_path), question)
    inside = np.unpackbits(trials.subset, axis=1, count=300)
    memorization = trials.counted().memorization
    assert sum(question.memorized) == (~np.isnan(memorization)).sum() == 300
    for (low, high), mean, size in zip(
        BY_MEMORIZATION, found.by_memorization, question.memorized, strict=True
    ):
        group = (memorization > low - 1e-6) & ((memorization < high - 1e-6) | (high == 1))
        assert size == group.sum() > 0
        rho = [
            spearmanr(inside[:, group] @ dense[group, z], question.outcome[:, z]).statistic
            for z in range(100)
        ]
        assert mean is not None
        assert mean.value == pytest.approx(np.mean(rho), abs=1e-4)


def test_blocks_are_read_as_the_whole_is(
    trained: Trained,
    trials: Trials,
    dense: np.ndarray[Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dense[40:60, 3] = dense[0, 3]  # ties, across blocks
    scores, question = scores_of(trained, dense, tmp_path), question_of(trials, tests=[3], most=50)
    whole = read(scores, question)
    monkeypatch.setattr("memtail_core.experiments.judge.scores.BLOCK_BYTES", 4 * 100 * 24)
    assert len(list(scores.blocks())) == 13
    monkeypatch.setattr(reading, "rows_at_once", lambda _: 24)
    parts = read(scores, question)
    np.testing.assert_allclose(parts.score.rho, whole.score.rho, atol=1e-6)
    np.testing.assert_array_equal(parts.highest, whole.highest)
    np.testing.assert_array_equal(parts.harm, whole.harm)


@pytest.mark.parametrize("name", ["counted", "counted-margins", "counted-probabilities"])
def test_counting_is_the_mean_with_less_the_mean_without(trials: Trials, name: str) -> None:
    assert trials.test_values is not None
    outcome = (
        np.unpackbits(trials.test_correct, axis=1, count=100).astype(float)
        if name == "counted"
        else trials.test_values.astype(float)
    )
    if name == "counted-probabilities":
        outcome = 1 / (1 + np.exp(-outcome))
    inside = np.unpackbits(trials.subset, axis=1, count=300).astype(bool)
    ((start, block),) = counted(name, trials).blocks()
    assert start == 0
    for i in (0, 7, 299):
        expected = outcome[inside[:, i]].mean(axis=0) - outcome[~inside[:, i]].mean(axis=0)
        np.testing.assert_allclose(block[i], expected, atol=1e-4)


def test_the_sparse_form_is_the_dense_one(
    trained: Trained, dense: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    indices = np.argsort(-dense, axis=0)[:20].T
    values = np.take_along_axis(dense, indices.T, axis=0).T
    np.savez(tmp_path / "top.npz", values=values, indices=indices)
    scores = from_file(str(tmp_path / "top.npz"), trained.dataset, trained.study.id)
    expected = np.where(dense >= np.sort(dense, axis=0)[-20], dense, 0)
    np.testing.assert_allclose(np.concatenate([b for _, b in scores.blocks()]), expected, rtol=1e-6)


def test_a_judgement_is_scipys_mean_over_trials_that_nobody_counted(
    trained: Trained, trials: Trials
) -> None:
    parts = split(trained.study, trials, 15)  # in whole blocks of ten
    assert len(parts.making) == 20
    assert not set(parts.making.trials) & set(parts.judging.trials)
    result = judge(
        trained,
        parts,
        [counted("counted", parts.making), counted("counted-margins", parts.making)],
    )
    assert (result.trials, result.first, result.outcome) == (20, 20, "margin")
    of = {each.name: each for each in result.judged}
    assert parts.judging.test_values is not None
    ((_, block),) = counted("counted-margins", parts.making).blocks()
    predicted = np.unpackbits(parts.judging.subset, axis=1, count=300) @ block
    outcome = parts.judging.test_values.astype(float)
    rho = [spearmanr(predicted[:, z], outcome[:, z]).statistic for z in range(100)]
    assert of["counted-margins"].score.lds == pytest.approx(np.mean(rho), abs=1e-6)
    c = 3
    chosen = trained.dataset.y_test == c
    assert of["counted-margins"].by_class[c].lds == pytest.approx(np.mean(np.array(rho)[chosen]))
    assert of["counted-margins"].by_class[c].examples == chosen.sum()
    assert sum(each.examples for each in of["counted"].by_difficulty) == 100
    assert of["counted"].best_for + of["counted-margins"].best_for >= 100
    best, other = result.judged
    assert best.behind is None
    assert other.behind is not None and best.score.lds is not None and other.score.lds is not None
    assert other.behind.lds == pytest.approx(best.score.lds - other.score.lds)
    assert other.behind.low is not None
    is_close = "It may be no better than" in " ".join(section(result).findings)
    assert is_close == (other.behind.low <= 0)
    assert len(section(result).table) == 2 * (1 + 10 + 3 + 3) + 1
    assert list(section(result).figures) == ["judge", "judge-groups"]


def test_the_ceiling_is_measured_on_the_subsets_that_judge(
    trained: Trained, trials: Trials
) -> None:
    parts = split(trained.study, trials, 0)
    study, arms, rows = ceiling_study(trained.study, parts.judging, 5)
    subsets = designs.subsets(study, range(5), arms)
    judging = np.unpackbits(parts.judging.subset[rows], axis=1, count=300)
    np.testing.assert_array_equal(subsets, judging)
    assert len(set(designs.training_seeds(study, range(5)).tolist())) == 5
    retrained = parts.judging.taken(rows)  # as if the same seeds had been used
    result = judge(
        trained,
        parts,
        [Scores("nothing", lambda: iter([(0, np.zeros((300, 100)))]))],
        again=(rows, retrained),
    )
    assert result.ceiling is not None
    assert result.ceiling.lds is not None
    assert result.ceiling.lds > 0.85, "without chance all can be predicted"
    assert result.judged[0].score.lds == 0
    assert result.judged[0].share == 0


def refusal(trained: Trained, path: Path) -> str:
    with pytest.raises(EstimationError) as raised:
        list(from_file(str(path), trained.dataset, trained.study.id).blocks())
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_files_that_do_not_fit_are_refused(
    trained: Trained, dense: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    file = tmp_path / "scores.npz"
    np.savez(file, scores=dense.T)
    assert "shape (100, 300); 300 training × 100 test examples are needed: transpose it" in refusal(
        trained, file
    )
    np.savez(file, scores=dense[:299])
    assert "(299, 100)" in refusal(trained, file)
    holed = dense.copy()
    holed[17, 4] = np.nan
    np.savez(file, scores=holed)
    assert "nan for training example 17 and test example 4" in refusal(trained, file)
    np.savez(file, scores=dense.astype(str))
    assert "not numbers" in refusal(trained, file)
    np.savez(file, values=dense[:5].T, indices=np.full((100, 5), 300))
    assert "no training examples, 0 to 299" in refusal(trained, file)
    np.savez(file, values=dense[:5], indices=np.zeros((5, 100), int))
    assert "[100 test examples, k]" in refusal(trained, file)
    np.savez(file, one=dense, two=dense)
    assert "'scores', or 'values' and 'indices', are needed" in refusal(trained, file)
    np.savez(file, scores=dense, dataset="0" * 64)
    assert "of other data" in refusal(trained, file)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "cannot read the scores" in refusal(trained, tmp_path / "objects.npy")
    file.write_bytes(b"PK")
    assert "cannot read the scores" in refusal(trained, file)
    assert "No such file" in refusal(trained, tmp_path / "none.npy")
    assert "no file of scores" in refusal(trained, tmp_path / "scores.txt")


def test_another_order_of_the_examples_is_refused(
    trained: Trained, dense: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    names = [str(i) for i in range(300)]
    named = replace(trained, dataset=replace(trained.dataset, train_names=tuple(names)))
    file = tmp_path / "scores.npz"
    np.savez(file, scores=dense, train_names=names)
    from_file(str(file), named.dataset, trained.study.id)
    np.savez(file, scores=dense, train_names=names[::-1])
    assert "in another order than the study: sort by its train_names" in refusal(named, file)
    np.savez(file, scores=dense, train_names=names[:-1])
    assert "are not the study's" in refusal(named, file)


def test_scores_made_from_the_judges_are_refused(
    trained: Trained, trials: Trials, dense: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    file, parts = tmp_path / "scores.npz", split(trained.study, trials, 10)
    np.savez(file, scores=dense, study=trained.study.id, trials=np.arange(15))
    scores = from_file(str(file), trained.dataset, trained.study.id)
    with pytest.raises(EstimationError, match=r"5 of the trials .* trial 10: .*--from-trials 15"):
        check_independent(scores, parts.judging)
    np.savez(file, scores=dense, study="another-0123456789", trials=np.arange(15))
    scores = from_file(str(file), trained.dataset, trained.study.id)
    check_independent(scores, parts.judging)


def test_too_few_judges_and_sums_without_end_are_refused(trained: Trained, trials: Trials) -> None:
    with pytest.raises(EstimationError, match=r"10 of the 40 models .* lower --from-trials"):
        split(trained.study, trials, 30)
    huge = Scores("huge", lambda: iter([(0, np.full((300, 100), 1e308))]))
    with np.errstate(over="ignore"), pytest.raises(EstimationError, match="huge are too large"):
        read(huge, question_of(trials))
    with pytest.raises(EstimationError, match=r"neither a file .*did you mean 'counted'"):
        method_of("countd")
