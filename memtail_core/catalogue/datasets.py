"""The data of a store's studies, and the arms of its experiments: put once, verified when read."""

import hashlib
from collections.abc import Callable
from contextlib import suppress

from memtail_core.catalogue import packed_datasets
from memtail_core.catalogue.weights import fetch_weights
from memtail_core.data.dataset import Dataset
from memtail_core.errors import DamagedError, DatasetError, StoreError, StudyError
from memtail_core.plan.arms import Arms
from memtail_core.store import ObjectStore
from memtail_core.study import ArmsTable, Study, dataset_key


def put_dataset(store: ObjectStore, dataset: Dataset, *, verify: bool = False) -> bool:
    """Put data where their digest says, unless they are there; return whether they were put.

    The digest of the file is kept beside it, so that data that are there need not be encoded to
    be recognized. A file with another digest is damaged and replaced.

    Args:
        store: where to.
        dataset: what.
        verify: read the stored file; else the store is asked for its digest, which a bucket
            answers without reading: it does not know yet what rots on its disk.
    """
    if (index := packed_datasets.index_of(dataset)) is not None:
        return packed_datasets.put(store, dataset, index, verify=verify)
    return put_encoded(store, dataset.sha256, dataset.to_npz, verify=verify)


def put_encoded(
    store: ObjectStore, sha256: str, encode: Callable[[], bytes], *, verify: bool = False
) -> bool:
    """Put data as :func:`put_dataset` does; ``encode`` gives what ``Dataset.to_npz`` gives."""
    key, note = dataset_key(sha256), f"datasets/{sha256}.sha256"
    stored = _digest(store, key, verify)
    if stored is not None and stored == _note(store, note):
        return False
    content = encode()
    digest = hashlib.sha256(content).hexdigest()
    if stored != digest:
        store.put(key, content)
    store.put(note, digest.encode())
    return stored != digest


def register_arms(store: ObjectStore, study: Study, arms: Arms) -> None:
    """Put an experiment's arms, before its study is registered or trained; replace damaged ones.

    Raises:
        StudyError: nothing can be trained, since the study it is about was imported.
    """
    study.check_trainable()
    content = arms.to_npz()
    if _digest(store, study.arms_key) != hashlib.sha256(content).hexdigest():
        store.put(study.arms_key, content)


def load_arms(store: ObjectStore, study: Study) -> Arms | None:
    """The arms of an experiment's study, verified; None for all other studies.

    Raises:
        StudyError: they are missing or damaged.
    """
    if not isinstance(study.subsets, ArmsTable):
        return None
    mend = "run the experiment again, which stores them anew"
    try:
        return Arms.from_npz(store.get(study.arms_key), study.subsets.sha256)
    except KeyError:
        raise StudyError(f"{store.location}/{study.arms_key} is missing: {mend}") from None
    except StudyError as error:
        raise StudyError(f"{error} in '{store.location}': {mend}") from error


def dataset_of(store: ObjectStore, sha256: str) -> Dataset:
    """The stored data of this digest, verified.

    Raises:
        StudyError: there are none.
        DatasetError: they are damaged.
    """
    try:
        packed = packed_datasets.load(store, sha256)
        return packed or Dataset.from_npz(store.get(dataset_key(sha256)), sha256)
    except KeyError:
        raise StudyError(f"the store '{store.location}' has no dataset {sha256}") from None
    except DamagedError as error:
        raise DatasetError(f"the stored dataset {sha256[:12]} is damaged: put it again") from error


def load_dataset(store: ObjectStore, study: Study, cache: ObjectStore | None = None) -> Dataset:
    """The study's data, verified against their digest; pretrained weights go into the cache.

    Args:
        store: where the study is.
        study: which.
        cache: a store nearer by, asked first and given what it lacks.

    Raises:
        StoreError: they are not there.
        DatasetError: they are damaged.
    """
    fetch_weights(store, study)
    key, sha256 = study.dataset_key, study.dataset.sha256
    try:
        packed = packed_datasets.load(store, sha256)
    except DatasetError:
        if not store.exists(key):  # else they are whole in the other form
            raise
        packed = None
    if packed is not None:
        return packed
    if cache is not None:
        with suppress(KeyError, DatasetError, StoreError):  # not fetched yet, damaged, unreadable
            return Dataset.from_npz(cache.get(key), sha256)
    mend = "run the study again from its study file, which stores it anew"
    try:
        content = store.get(key)
        dataset = Dataset.from_npz(content, sha256)
    except KeyError:
        raise StoreError(
            f"the store '{store.location}' lacks the dataset of {study.id}: {mend}"
        ) from None
    except (DamagedError, DatasetError) as error:
        raise DatasetError(
            f"the dataset of {study.id} is damaged in '{store.location}': {mend}"
        ) from error
    if cache is not None:
        with suppress(StoreError):  # a full disk: then it is fetched again next time
            cache.put(key, content)
    return dataset


def _digest(store: ObjectStore, key: str, verify: bool = False) -> str | None:
    """The SHA-256 of an object; None if there is none that can be read."""
    try:
        return hashlib.sha256(store.get(key)).hexdigest() if verify else store.digest(key)
    except (KeyError, DamagedError):
        return None


def _note(store: ObjectStore, key: str) -> str | None:
    """The digest that was noted when the data were put; version 0.1 noted none."""
    try:
        return store.get(key).decode(errors="replace")
    except (KeyError, DamagedError):
        return None
