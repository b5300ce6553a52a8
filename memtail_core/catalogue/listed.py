"""The studies of a store, each seen through a listing: one request for a thousand objects."""

from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from typing import TypeVar

from memtail_core.store import Contents, ListedStore, ObjectStore

_ROOM = "studies/"
_THREADS = 8

T = TypeVar("T")


def every(store: ObjectStore, contents: Contents) -> Iterator[tuple[str, ListedStore]]:
    """List the whole store once; yield each study's id with what the listing has of it.

    Objects are read from ``contents`` if their digests are known there. No more than one study's
    part of the listing is kept at a time.
    """
    entries = store.entries(_ROOM)
    for name, group in groupby(entries, key=lambda entry: entry.key.split("/", 2)[1]):
        listed = ListedStore(store, group, contents)
        if listed.exists(f"{_ROOM}{name}/study.json"):
            yield name, listed


def mapped(
    store: ObjectStore,
    contents: Contents,
    read: Callable[[str, ListedStore], T],
    among: Container[str] | None = None,
) -> Iterator[T]:
    """List the whole store once, and call ``read`` for each study in threads; yield what it says.

    Args:
        store, contents: see :func:`every`.
        read: called with a study's id and what the listing has of it.
        among: ids of the studies to read; None: all.
    """
    wanted = (each for each in every(store, contents) if among is None or each[0] in among)
    with ThreadPoolExecutor(_THREADS) as pool:
        while some := list(islice(wanted, 8 * _THREADS)):
            yield from pool.map(lambda each: read(*each), some)


def one(store: ObjectStore, study_id: str, contents: Contents) -> ListedStore:
    """List one study."""
    return ListedStore(store, store.entries(f"{_ROOM}{study_id}/"), contents)
