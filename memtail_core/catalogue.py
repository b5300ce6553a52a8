"""The studies of a store: register one, list them, find one by name, remember how far it is to go.

``study.json`` never changes; ``goal.json`` holds the number of trials wanted, which can grow.
"""

import json

from memtail_core.data.dataset import Dataset
from memtail_core.errors import StoreError, StudyError
from memtail_core.store import ObjectStore
from memtail_core.study import Study


def register(store: ObjectStore, study: Study, dataset: Dataset, trials: int) -> None:
    """Put the dataset and ``study.json`` where missing and raise the goal to ``trials``.

    Raises:
        StoreError: another study is stored under this id.
    """
    if not store.exists(study.dataset_key):
        store.put(study.dataset_key, dataset.to_npz())
    key = f"{study.prefix}study.json"
    if store.exists(key):
        there = Study.from_json(store.get(key), f"{store.location}/{key}")
        if there.digest != study.digest:
            raise StoreError(
                f"{store.location}/{key} belongs to another study "
                f"({'; '.join(there.differences(study)[:3])}): use another --store, or restore it"
            )
    else:
        store.put(key, study.to_json())
    if trials > goal(store, study):
        store.put(f"{study.prefix}goal.json", json.dumps({"trials": trials}).encode())


def goal(store: ObjectStore, study: Study) -> int:
    """The number of trials wanted, 0 where none was registered."""
    key = f"{study.prefix}goal.json"
    try:
        return int(json.loads(store.get(key))["trials"])
    except KeyError:
        return 0
    except (ValueError, TypeError) as error:
        raise StoreError(f"{store.location}/{key} is damaged: delete it and run again") from error


def studies(store: ObjectStore) -> list[Study]:
    """Every study of the store, by id."""
    keys = [key for key in store.list("studies/") if key.endswith("/study.json")]
    return [Study.from_json(store.get(key), f"{store.location}/{key}") for key in keys]


def find(store: ObjectStore, name: str) -> Study:
    """The study whose id is ``name`` or begins with it.

    Raises:
        StudyError: none or several do.
    """
    every = studies(store)
    exact = [study for study in every if study.id == name]
    found = exact or [study for study in every if study.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(study.id for study in found)
        raise StudyError(f"'{name}' could be {ids}: give more of the id")
    if not every:
        raise StudyError(
            f"the store '{store.location}' holds no study: give --store, or start one "
            "with memtail run"
        )
    ids = ", ".join(study.id for study in every[:5])
    raise StudyError(
        f"the store '{store.location}' holds no study '{name}': it has {ids}"
        + (f" and {len(every) - 5} more (memtail status)" if len(every) > 5 else "")
    )


def namesake(store: ObjectStore, study: Study) -> Study | None:
    """Another study of the same name, if ``study`` itself is not in the store yet."""
    every = studies(store)
    if any(other.id == study.id for other in every):
        return None
    return next((other for other in every if other.name == study.name), None)


def load_dataset(store: ObjectStore, study: Study) -> Dataset:
    """The study's data, from the store, verified against their digest.

    Raises:
        StoreError: they are not there.
        DatasetError: they are damaged.
    """
    try:
        content = store.get(study.dataset_key)
    except KeyError:
        raise StoreError(
            f"the store '{store.location}' lacks the dataset of {study.id}: run it again from "
            "its study file"
        ) from None
    return Dataset.from_npz(content, study.dataset.sha256)
