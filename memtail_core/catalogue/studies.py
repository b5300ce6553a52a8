"""The studies of a store: register one, list them, find one by name, remember how far it is to go.

``study.json`` never changes; ``goal.json`` holds the number of trials last asked for.
"""

import hashlib
import json
from contextlib import suppress

from memtail_core.data.dataset import Dataset
from memtail_core.errors import DamagedError, DatasetError, StoreError, StudyError
from memtail_core.plan import shards
from memtail_core.plan.arms import Arms
from memtail_core.store import ObjectStore
from memtail_core.study import MOST_TRIALS, ArmsTable, Study, dataset_key


def register(
    store: ObjectStore, study: Study, dataset: Dataset, trials: int, *, verify: bool = True
) -> None:
    """Put the dataset and ``study.json`` where missing; ``trials``, or those stored, are the goal.

    The dataset is sent once: a stored one of this content is left alone, a damaged one replaced.
    It is read to tell, if ``verify`` says so; else only its digest is asked for.

    Raises:
        StoreError: another study is stored under this id.
    """
    key = f"{study.prefix}study.json"
    is_new = not store.exists(key)
    if not is_new:
        there = Study.from_json(store.get(key), f"{store.location}/{key}")
        if there.digest != study.digest:
            raise StoreError(
                f"{store.location}/{key} belongs to another study "
                f"({'; '.join(there.differences(study)[:3])}): use another --store, or restore it"
            )
    put_dataset(store, dataset, verify=verify)
    set_goal(store, study, trials)
    if is_new:
        store.put(key, study.to_json())  # last: a study that is listed has its data and its goal


def set_goal(store: ObjectStore, study: Study, trials: int) -> None:
    """Remember how many trials are wanted: so many, or those that are stored."""
    wanted = max(trials, *(shard.last for shard in shards.stored(store, study)), 1)
    if wanted != goal(store, study):
        store.put(f"{study.prefix}goal.json", json.dumps({"trials": wanted}).encode())


def goal(store: ObjectStore, study: Study) -> int:
    """The number of trials wanted, 0 where none was registered."""
    key = f"{study.prefix}goal.json"
    try:
        content = store.get(key)
    except KeyError:
        return 0
    try:
        trials = int(json.loads(content)["trials"])
        if 0 < trials <= MOST_TRIALS:
            return trials
    except (ValueError, TypeError, KeyError):
        pass
    raise StoreError(
        f"{store.location}/{key} is damaged: delete it, and say --trials when running again"
    )


def ids(store: ObjectStore) -> list[str]:
    """The ids of the store's studies."""
    names = store.folders("studies/")
    return [name for name in names if store.exists(f"studies/{name}/study.json")]


def named(store: ObjectStore, name: str) -> list[str]:
    """The ids of the studies called ``name``: one for each thing that was changed in between."""
    return [study_id for study_id in ids(store) if study_id.rpartition("-")[0] == name]


def read(store: ObjectStore, study_id: str) -> Study:
    """Read a study by its id.

    Raises:
        StudyError: its ``study.json`` is damaged.
    """
    key = f"studies/{study_id}/study.json"
    study = Study.from_json(store.get(key), f"{store.location}/{key}")
    if study.id != study_id:
        raise StudyError(
            f"{store.location}/{key} belongs to another study, {study.id}: restore it, or move "
            "that folder away"
        )
    return study


def find(store: ObjectStore, name: str) -> Study:
    """The study whose id is ``name`` or begins with it.

    Raises:
        StudyError: none or several do.
    """
    every = ids(store)
    found = [name] if name in every else named(store, name)
    found = found or [study_id for study_id in every if study_id.startswith(name)]
    if len(found) == 1:
        return read(store, found[0])
    if found:
        models = {study.id: _n_models(store, study) for study in (read(store, i) for i in found)}
        begun = [study_id for study_id, n in models.items() if n]
        if len(begun) == 1:  # the others are attempts that failed
            return read(store, begun[0])
        choices = ", ".join(f"{study_id} ({n} models)" for study_id, n in models.items())
        raise StudyError(f"'{name}' could be {choices}: give more of the id")
    if not every:
        raise StudyError(
            f"the store '{store.location}' holds no study: give --store, or start one "
            "with memtail run"
        )
    more = f" and {len(every) - 5} more (memtail status)" if len(every) > 5 else ""
    raise StudyError(
        f"the store '{store.location}' holds no study '{name}': it has {', '.join(every[:5])}{more}"
    )


def _n_models(store: ObjectStore, study: Study) -> int:
    return len(shards.stored(store, study)) * study.shard_size


def namesake(store: ObjectStore, study: Study) -> Study | None:
    """Another study of the same name, if ``study`` itself is not in the store yet."""
    others = named(store, study.name)
    if study.id in others:
        return None
    for other in others:
        with suppress(StudyError, StoreError):  # a damaged one is not ours to complain of
            return read(store, other)
    return None


def _is_stored(store: ObjectStore, key: str, content: bytes, verify: bool) -> bool:
    try:
        if verify:
            return store.get(key) == content
        return store.digest(key) == hashlib.sha256(content).hexdigest()
    except (KeyError, DamagedError):
        return False


def register_arms(store: ObjectStore, study: Study, arms: Arms) -> None:
    """Put an experiment's arms, before its study is registered or trained."""
    if not store.exists(study.arms_key):
        store.put(study.arms_key, arms.to_npz())


def load_arms(store: ObjectStore, study: Study) -> Arms | None:
    """The arms of an experiment's study, verified; None for all other studies.

    Raises:
        StudyError: they are missing or damaged.
    """
    if not isinstance(study.subsets, ArmsTable):
        return None
    try:
        return Arms.from_npz(store.get(study.arms_key), study.subsets.sha256)
    except KeyError:
        raise StudyError(
            f"{store.location}/{study.arms_key} is missing: run the experiment again, which stores "
            "it anew"
        ) from None


def put_dataset(store: ObjectStore, dataset: Dataset, *, verify: bool = True) -> None:
    """Put data where their digest says, unless they are there, by reading them or their digest."""
    key, content = dataset_key(dataset.sha256), dataset.to_npz()
    if not _is_stored(store, key, content, verify):
        store.put(key, content)


def dataset_of(store: ObjectStore, sha256: str) -> Dataset:
    """The stored data of this digest, verified.

    Raises:
        StudyError: there are none.
        DatasetError: they are damaged.
    """
    try:
        return Dataset.from_npz(store.get(dataset_key(sha256)), sha256)
    except KeyError:
        raise StudyError(f"the store '{store.location}' has no dataset {sha256}") from None
    except DamagedError as error:
        raise DatasetError(f"the stored dataset {sha256[:12]} is damaged: put it again") from error


def load_dataset(store: ObjectStore, study: Study, cache: ObjectStore | None = None) -> Dataset:
    """The study's data, verified against their digest.

    Args:
        store: where the study is.
        study: which.
        cache: a store nearer by, asked first and given what it lacks.

    Raises:
        StoreError: they are not there.
        DatasetError: they are damaged.
    """
    if cache is not None:
        with suppress(KeyError, DatasetError, StoreError):  # not fetched yet, damaged, unreadable
            return Dataset.from_npz(cache.get(study.dataset_key), study.dataset.sha256)
        dataset = load_dataset(store, study)
        with suppress(StoreError):  # a full disk: then it is fetched again next time
            cache.put(study.dataset_key, dataset.to_npz())
        return dataset
    try:
        content = store.get(study.dataset_key)
    except DamagedError as error:
        raise DatasetError(
            f"the dataset of {study.id} is damaged in '{store.location}': run the study again from "
            "its study file, which stores it anew"
        ) from error
    except KeyError:
        raise StoreError(
            f"the store '{store.location}' lacks the dataset of {study.id}: run it again from "
            "its study file"
        ) from None
    try:
        return Dataset.from_npz(content, study.dataset.sha256)
    except DatasetError as error:
        raise DatasetError(
            f"{error} in '{store.location}': run the study again from its study file, which "
            "stores it anew"
        ) from error
