"""The data of a store's studies, and the arms of its experiments: put once, verified when read."""

import hashlib
from contextlib import suppress

from memtail_core.data.dataset import Dataset
from memtail_core.errors import DamagedError, DatasetError, StoreError, StudyError
from memtail_core.plan.arms import Arms
from memtail_core.store import ObjectStore
from memtail_core.study import ArmsTable, Study, dataset_key


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
