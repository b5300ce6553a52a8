"""Datamodels of the shared study: what judges them, what is saved, what the section says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from memtail_core.errors import EstimationError, StoreError
from memtail_core.experiments.datamodels.plan import (
    Weights,
    counted_predictions,
    fit_and_judge,
    parts_of,
)
from memtail_core.experiments.datamodels.result import Datamodels
from memtail_core.experiments.datamodels.section import section
from memtail_core.experiments.judge.plan import Split
from memtail_core.experiments.judge.scores import from_file
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained


@pytest.fixture(scope="module")
def trials(trained: Trained) -> Trials:
    """The 40 trials of the shared study; the first test example rests on two training examples."""
    loaded = loading.load(FilesStore(trained.folder), trained.study, values=True)[0]
    assert loaded.test_values is not None
    inside = np.unpackbits(loaded.subset, axis=1, count=300)
    margins = loaded.test_values.copy()
    margins[:, 0] = 4.0 * inside[:, 17] - 3.0 * inside[:, 200]
    margins[:, 1] = 2.0
    return replace(loaded, test_values=margins)


@pytest.fixture(scope="module")
def parts(trained: Trained, trials: Trials) -> Split:
    return parts_of(trained.study, trials, None)


@pytest.fixture(scope="module")
def made(trained: Trained, parts: Split) -> tuple[Datamodels, Weights]:
    return fit_and_judge(trained.study, parts, "margin", 12)


def test_trials_that_were_left_out_judge(
    parts: Split, made: tuple[Datamodels, Weights], trials: Trials
) -> None:
    result, weights = made
    assert (result.trials, result.made_from) == (40, 20)
    assert not set(parts.making.trials) & set(parts.judging.trials)
    np.testing.assert_array_equal(weights.trials, parts.making.trials)
    of = result.of_test
    assert of.strongest[0] == 17
    assert of.lds[0] == pytest.approx(1, abs=0.05)
    assert of.r2[0] is not None and of.r2[0] > 0.5
    assert (of.lds[1], of.r2[1], of.nonzero[1], of.strongest[1]) == (None, None, 0, None)
    assert result.lds.examples == 99
    known = np.array([each for each in of.lds if each is not None])
    assert result.lds.lds == pytest.approx(known.mean(), abs=1e-5)
    assert result.lead.lds == pytest.approx(result.lds.lds - result.counted.lds)  # type: ignore[operator]


def test_numbers_are_those_of_the_weights(made: tuple[Datamodels, Weights], parts: Split) -> None:
    result, weights = made
    inside = np.unpackbits(parts.judging.subset, axis=1, count=300).astype(float)
    outcome, seen = parts.judging.test_values, parts.making.test_values
    assert outcome is not None and seen is not None
    for z in (0, 5, 42):
        if result.of_test.nonzero[z] > 12:
            continue
        spread = np.zeros(300)
        spread[weights.indices[z]] = weights.values[z]
        predicted = inside @ spread + weights.intercept[z]
        y = outcome[:, z].astype(float)
        missed = ((y - predicted) ** 2).sum() / ((y - seen[:, z].astype(float).mean()) ** 2).sum()
        assert result.of_test.r2[z] == pytest.approx(1 - missed, abs=1e-3)
        if np.ptp(predicted):
            assert result.of_test.lds[z] == pytest.approx(
                spearmanr(predicted, y).statistic, abs=0.02
            )


def test_judging_trials_are_not_looked_at(
    trained: Trained, trials: Trials, made: tuple[Datamodels, Weights]
) -> None:
    """Other outcomes of the trials that judge: the same weights and penalties, another score."""
    assert trials.test_values is not None
    changed = trials.test_values.copy()
    changed[20:] = np.random.default_rng(0).normal(size=changed[20:].shape)
    parts = parts_of(trained.study, replace(trials, test_values=changed), None)
    result, weights = fit_and_judge(trained.study, parts, "margin", 12)
    np.testing.assert_array_equal(weights.values, made[1].values)
    np.testing.assert_array_equal(weights.penalty, made[1].penalty)
    assert result.lds.lds is not None and made[0].lds.lds is not None
    assert result.lds.lds < made[0].lds.lds


def test_counting_is_the_difference_of_means(parts: Split) -> None:
    outcome = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    inside = np.unpackbits(parts.making.subset, axis=1, count=300).astype(bool)
    influence = [
        outcome[x].mean(axis=0) - outcome[~x].mean(axis=0) if 0 < x.sum() < 20 else np.zeros(3)
        for x in inside.T
    ]
    judged = np.unpackbits(parts.judging.subset, axis=1, count=300)
    np.testing.assert_allclose(
        counted_predictions(parts.making, parts.judging, outcome), judged @ influence, atol=1e-4
    )


def test_the_judge_reads_what_is_saved(
    trained: Trained, made: tuple[Datamodels, Weights], tmp_path: Path
) -> None:
    path = str(tmp_path / "weights.npz")
    made[1].save(path, trained.study, trained.dataset)
    scores = from_file(path, trained.dataset, trained.study.id)
    np.testing.assert_array_equal(scores.trials, made[1].trials)
    whole = np.concatenate([block for _, block in scores.blocks()])
    assert whole[17, 0] == made[1].values[0, 0]
    with pytest.raises(StoreError, match="cannot write"):
        made[1].save(str(tmp_path / "none" / "weights.npz"), trained.study, trained.dataset)


def test_the_section_lists_every_test_example(
    trained: Trained, made: tuple[Datamodels, Weights]
) -> None:
    written = section(made[0], trained.dataset)
    assert written.table.num_rows == 100
    assert written.galleries[0].examples[1].index == 17
    assert set(written.figures) == {"datamodels"}
    assert "20 models that they were not made from" in written.findings[0]
    Datamodels.model_validate_json(made[0].model_dump_json())


def test_too_few_trials_are_refused(trained: Trained, trials: Trials) -> None:
    with pytest.raises(EstimationError, match=r"10 of the 40 models .* lower --from-trials"):
        parts_of(trained.study, trials, 30)
    with pytest.raises(EstimationError, match=r"at least 20 are needed: raise --from-trials"):
        parts_of(trained.study, trials, 10)
