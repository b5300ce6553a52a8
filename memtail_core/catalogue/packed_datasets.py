"""Packed data in a store: an index under the dataset's digest, and parts under their own.

Parts are put once, whatever studies share them, and those that are there are not sent again. A
reader maps the parts of a store that is a folder where they are; those of a bucket it first fetches
into the cache of its machine, which all processes share.
"""

import hashlib
from dataclasses import replace

from memtail_core.data.dataset import Dataset
from memtail_core.data.modalities import named
from memtail_core.data.packed.index import Index
from memtail_core.data.packed.known import Known, check_once, index_of, remember
from memtail_core.data.packed.part_folder import PartFolder, check_parts, fetched
from memtail_core.data.packed.records import Packed, Part
from memtail_core.errors import DamagedError, DatasetError, StoreError
from memtail_core.settings import settings
from memtail_core.store import ObjectStore
from memtail_core.store.base import LocalStore
from memtail_core.study import packed_key, part_key

__all__ = ["index_of", "load", "put"]


def put(store: ObjectStore, dataset: Dataset, index: Index, *, verify: bool = False) -> bool:
    """Put the parts that a store lacks, then the index; return whether anything was put.

    Args:
        store: where to.
        dataset: packed data.
        index: of them.
        verify: read the stored parts; a damaged one is replaced.
    """
    assert isinstance(dataset.train, Packed)
    folder = PartFolder(dataset.train.records.folder)
    lacking = [part for part in index.parts if _digest(store, part, verify) != part.sha256]
    for part in lacking:
        _put(store, folder, part, verify)
    mean, deviation = dataset.moments if dataset.feed.divisor is not None else (None, None)
    whole = replace(index, sha256=dataset.sha256, mean=mean, deviation=deviation)
    key, content = packed_key(dataset.sha256), whole.encode()
    try:
        is_there = Index.decode(store.get(key)).digest == index.digest
    except (KeyError, DamagedError):
        is_there = False
    if not is_there:
        store.put(key, content)
    return bool(lacking) or not is_there


def load(store: ObjectStore, sha256: str) -> Dataset | None:
    """The packed data of this digest; None if the store has none.

    Raises:
        StoreError: parts are missing.
        DatasetError: the index or parts are damaged.
        MachineError: the cache or its disk cannot hold them.
    """
    try:
        index = Index.decode(store.get(packed_key(sha256)))
        if index.sha256 != sha256 or index.test is None or index.y_test is None:
            raise DamagedError("it is the index of other data")
    except KeyError:
        return None
    except DamagedError as error:
        raise DatasetError(
            f"{store.location}/{packed_key(sha256)} is damaged ({error}): run the study again from "
            "its study file, which stores it anew"
        ) from error
    own = settings()
    cache = own.cache.expanduser()
    if isinstance(store, LocalStore):
        folder = store.file(part_key("0")).parent.absolute()
        check_once(folder, index.parts, index.digest, cache)
    else:
        parts = PartFolder(cache / "parts", own.cache_bytes)
        folder = parts.root
        _fetch(store, parts, index)
    train, test = index.examples(folder)
    assert test is not None
    made = Dataset(
        train,
        index.y_train,
        test,
        index.y_test,
        index.classes or (),
        index.train_names,
        index.test_names,
        index.features,
        modality=named(index.modality),
    )
    known = ([] if each is None else each.tolist() for each in (index.mean, index.deviation))
    remember(made, Known(sha256, *known))
    return made


def _fetch(store: ObjectStore, parts: PartFolder, index: Index) -> None:
    def fetch(part: Part) -> bytes:
        try:
            return store.get(part_key(part.sha256))
        except KeyError:
            raise StoreError(
                f"the store '{store.location}' lacks the part {part.sha256[:12]} of packed data: "
                "run the study again from its study file, which stores it anew"
            ) from None

    try:
        fetched(parts, index.parts, index.record_bytes, fetch)
    except DamagedError as error:
        raise DatasetError(
            f"{error} in '{store.location}': run the study again from its study file, which stores "
            "it anew"
        ) from error


def _put(store: ObjectStore, folder: PartFolder, part: Part, verify: bool) -> None:
    """Put one part; a folder links to it, where it can, instead of copying it."""
    file = folder.file(part)
    try:
        if isinstance(store, LocalStore):
            if verify:
                check_parts(folder.root, [part])
            store.put_file(part_key(part.sha256), file)
            return
        content = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read '{file}': {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise DatasetError(f"'{file}' is damaged: delete it and run the same command again")
    store.put(part_key(part.sha256), content)


def _digest(store: ObjectStore, part: Part, verify: bool) -> str | None:
    """The digest of a stored part; a folder's is trusted unless it is to be read."""
    key = part_key(part.sha256)
    try:
        if verify:
            return hashlib.sha256(store.get(key)).hexdigest()
        if isinstance(store, LocalStore):
            return part.sha256 if store.exists(key) else None
        return store.digest(key)
    except (KeyError, DamagedError):
        return None
