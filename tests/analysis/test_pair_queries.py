from dataclasses import replace

import numpy as np
import pytest

from memtail_core.analysis.loaded_study import LoadedStudy
from memtail_core.analysis.pair_queries import PairQuery
from memtail_core.errors import EstimationError
from memtail_core.report import tables
from tests.conftest import Trained


@pytest.fixture(scope="module")
def material(trained: Trained) -> LoadedStudy:
    return LoadedStudy.load(trained.store, trained.study)


def pairs_of(question: PairQuery, material: LoadedStudy) -> set[tuple[int, int]]:
    family = question.family(material)
    return {
        (int(i), int(j)) for rows, columns in family.groups for i in rows for j in columns
    }  # fmt: skip


@pytest.mark.slow
def test_material_is_what_is_stored(material: LoadedStudy, trained: Trained) -> None:
    np.testing.assert_array_equal(material.trials.subset, trained.trials.subset)
    assert material.evidence.trials == 40
    np.testing.assert_array_equal(
        material.scores.memorization, trained.analysis.scores.memorization
    )


def test_a_question_chooses_the_pairs_it_says(material: LoadedStudy) -> None:
    data, mem = material.dataset, material.scores.memorization
    for question in (
        PairQuery(),
        PairQuery(same_class=False, train=[3, 3, 7]),
        PairQuery(test=[5, 50], theta_mem=0.25),
        PairQuery(classes=["3", "8"], theta_mem=0.0),
        PairQuery(classes=["3"], same_class=False, test=[1]),
    ):
        expected = {
            (i, j)
            for i in range(300)
            for j in range(100)
            if (not question.train or i in question.train)
            and (not question.test or j in question.test)
            and (not question.classes or data.classes[data.y_train[i]] in question.classes)
            and (not question.same_class or data.y_train[i] == data.y_test[j])
            and (question.theta_mem is None or mem[i] >= question.theta_mem - 1e-9)
        }
        assert expected
        assert pairs_of(question, material) == expected


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (PairQuery(train=[300]), "no training example 300: they are 0 to 299"),
        (PairQuery(test=[-1]), "no test example -1: they are 0 to 99"),
        (PairQuery(classes=["cat"]), "no class 'cat': they are 0, 1, 2"),
    ],
)
def test_what_is_not_there_is_said(
    material: LoadedStudy, question: PairQuery, message: str
) -> None:
    with pytest.raises(EstimationError, match=message):
        question.family(material)


def test_a_study_without_a_model_has_no_material(trained: Trained) -> None:
    study = trained.study.model_copy(update={"name": "other"})
    with pytest.raises(EstimationError, match="no trained model yet"):
        LoadedStudy.load(trained.store, study)


def test_a_memorization_that_is_missing_is_null(material: LoadedStudy, trained: Trained) -> None:
    pairs = trained.analysis.pairs
    memorization = material.scores.memorization.copy()
    memorization[pairs.train_index[0]] = np.nan
    table = tables.pairs_table(replace(pairs), material.dataset, memorization)
    assert table["memorization"][0].as_py() is None
    assert table["memorization"].null_count == (pairs.train_index == pairs.train_index[0]).sum()
