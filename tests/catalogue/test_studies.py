from pathlib import Path

import pytest

from memtail_core import catalogue
from memtail_core.errors import StoreError, StudyError
from memtail_core.plan.shards import Shard
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from tests.conftest import Trained, digits


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    return FilesStore(tmp_path / "runs")


def test_a_registered_study_is_found_by_id_prefix_and_name(store: FilesStore) -> None:
    study, dataset = prepare(digits())
    catalogue.register(store, study, dataset, 40)
    for name in (study.id, study.id[:10], "digits"):
        assert catalogue.find(store, name) == study
    assert catalogue.load_dataset(store, study).sha256 == dataset.sha256


def test_an_ambiguous_name_lists_the_ids(store: FilesStore) -> None:
    ids = set()
    for seed in (0, 1):
        study, dataset = prepare(digits(study={"seed": seed}))
        catalogue.register(store, study, dataset, 40)
        ids.add(study.id)
    with pytest.raises(StudyError, match="give more of the id") as raised:
        catalogue.find(store, "digits")
    assert all(each in str(raised.value) for each in ids)


def test_an_unknown_study_and_an_empty_store_say_what_to_do(
    store: FilesStore, trained: Trained
) -> None:
    with pytest.raises(StudyError, match="holds no study: give --store, or start one"):
        catalogue.find(store, "digits")
    with pytest.raises(StudyError, match="holds no study 'digist': it has digits-"):
        catalogue.find(trained.store, "digist")


def test_the_goal_is_the_most_that_was_asked_for_or_what_is_stored(store: FilesStore) -> None:
    study, dataset = prepare(digits())
    assert catalogue.goal(store, study) == 0
    for wanted, goal in ((40, 40), (20000, 20000), (100, 20000)):
        catalogue.register(store, study, dataset, wanted)
        assert catalogue.goal(store, study) == goal
    store.put(Shard(25, 30).key(study), b"")
    catalogue.register(store, study, dataset, 10, may_shrink=True)
    assert catalogue.goal(store, study) == 30


def test_attempts_without_a_model_do_not_make_a_name_ambiguous(store: FilesStore) -> None:
    studies = [prepare(digits(study={"seed": seed})) for seed in (0, 1, 2)]
    for study, dataset in studies:
        catalogue.register(store, study, dataset, 40)
    with pytest.raises(StudyError, match=r"digits-\w+ \(0 models\).*: give more of the id"):
        catalogue.find(store, "digits")
    store.put(Shard(0, 5).key(studies[1].study), b"")
    assert catalogue.find(store, "digits") == studies[1].study
    assert catalogue.find(store, studies[0].study.id) == studies[0].study


def test_a_store_whose_study_is_another_is_refused(store: FilesStore) -> None:
    study, dataset = prepare(digits())
    other = study.model_copy(update={"seed": 7})
    store.put(f"{study.prefix}study.json", other.to_json())
    with pytest.raises(StoreError, match=r"belongs to another study .seed: 7 → 0"):
        catalogue.register(store, study, dataset, 40)


def test_a_damaged_study_does_not_stand_in_the_way_of_the_others(store: FilesStore) -> None:
    study, dataset = prepare(digits())
    catalogue.register(store, study, dataset, 40)
    store.put("studies/digits-0000000000/study.json", b"{")
    assert catalogue.find(store, study.id) == study
    assert catalogue.of_same_name(store, study.model_copy(update={"seed": 5})) == study
    with pytest.raises(StudyError, match="is damaged or of another version: restore it"):
        catalogue.find(store, "digits-0000000000")


def test_damaged_records_are_named(store: FilesStore) -> None:
    study, dataset = prepare(digits())
    catalogue.register(store, study, dataset, 40)
    store.put(f"{study.prefix}goal.json", b"{")
    with pytest.raises(StoreError, match=r"goal.json is damaged: delete it, and give --trials"):
        catalogue.goal(store, study)
