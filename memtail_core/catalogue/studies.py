"""The studies of a store: register, list and find them. ``study.json`` never changes."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from memtail_core.catalogue import goals
from memtail_core.catalogue.accounts import put_account
from memtail_core.catalogue.datasets import put_dataset
from memtail_core.catalogue.stored import stored_shards
from memtail_core.catalogue.weights import put_weights
from memtail_core.data.dataset import Dataset
from memtail_core.errors import StoreError, StudyError
from memtail_core.store import ObjectStore
from memtail_core.store.base import is_key
from memtail_core.study import Study

_MOST_NAMED = 5  # studies, in a message
_MOST_READ = 20  # studies, to tell which of them have models


def register(
    store: ObjectStore,
    study: Study,
    dataset: Dataset,
    trials: int,
    *,
    verify: bool = False,
    may_shrink: bool = False,
    stored: goals.Stored = None,
) -> None:
    """Put the dataset and ``study.json`` where missing, and let the study grow to ``trials``.

    The dataset is encoded and sent once; a damaged one is replaced (:func:`put_dataset`).

    Args:
        store: where to.
        study, dataset: what.
        trials: wanted. A study that is to have more keeps that number.
        verify: read the stored dataset; else the store is asked for its digest.
        may_shrink: a study that is to have more trials shrinks to ``trials``.
        stored: the stored shards, if they are known.

    Raises:
        StoreError: another study is stored under this id.
        StudyError: an imported study is to have more trials than are stored.
    """
    if study.is_imported and trials > _n_models(store, study):
        study.check_trainable()
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
    put_weights(store, study, verify=verify)
    put_account(store, study, dataset.account)
    (goals.shrink if may_shrink else goals.grow)(store, study, trials, stored)
    if is_new:
        store.put(key, study.to_json())  # last: a study that is listed has its data and its goal


def ids(store: ObjectStore, start: str = "") -> Iterator[str]:
    """The ids of the store's studies that begin with ``start``; others are not asked about."""
    for name in store.folders("studies/", start):
        if store.exists(f"studies/{name}/study.json"):
            yield name


def is_known(store: ObjectStore, start: str) -> bool:
    """Whether a study's id begins with ``start``."""
    return next(ids(store, start), None) is not None


def named(store: ObjectStore, name: str) -> list[str]:
    """The ids of the studies called ``name``: a changed study has another id."""
    return list(_named(store, name))


def _named(store: ObjectStore, name: str) -> Iterator[str]:
    every = store.folders("studies/", f"{name}-")
    called = (study_id for study_id in every if study_id.rpartition("-")[0] == name)
    return (each for each in called if store.exists(f"studies/{each}/study.json"))


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
    if not is_key(name) or "/" in name:
        matching = []
    elif store.exists(f"studies/{name}/study.json"):
        matching = [name]
    else:
        matching = named(store, name) or list(ids(store, name))
    if len(matching) == 1:
        return read(store, matching[0])
    if len(matching) > _MOST_READ:
        first = ", ".join(matching[:_MOST_NAMED])
        raise StudyError(
            f"'{name}' could be {first} and {len(matching) - _MOST_NAMED:,} others: "
            "give more of the id"
        )
    if matching:
        studies = [read(store, study_id) for study_id in matching]
        models = {study.id: _n_models(store, study) for study in studies}
        begun = [study_id for study_id, n in models.items() if n]
        if len(begun) == 1:  # the others are attempts that failed
            return read(store, begun[0])
        choices = ", ".join(f"{study_id} ({n} models)" for study_id, n in models.items())
        raise StudyError(f"'{name}' could be {choices}: give more of the id")
    some = list(islice(ids(store), _MOST_NAMED))
    if not some:
        raise StudyError(
            f"the store '{store.location}' holds no study: give --store, or start one "
            "with memtail run"
        )
    n_more = sum(1 for _ in store.folders("studies/")) - len(some)
    more = f" and {n_more} more (memtail status)" if n_more > 0 else ""
    raise StudyError(
        f"the store '{store.location}' holds no study '{name}': it has {', '.join(some)}{more}"
    )


def _n_models(store: ObjectStore, study: Study) -> int:
    return len(stored_shards(store, study)) * study.shard_size


def of_same_name(store: ObjectStore, study: Study) -> Study | None:
    """Another study of the same name, if ``study`` itself is not in the store yet."""
    if store.exists(f"{study.prefix}study.json"):
        return None
    for other in _named(store, study.name):
        with suppress(StudyError, StoreError):  # damaged, which is reported where it is asked for
            return read(store, other)
    return None
