"""The studies of a store, each seen through a listing: one request for a thousand objects."""

from collections.abc import Iterator
from itertools import groupby

from memtail_core.store import Contents, ListedStore, ObjectStore

_ROOM = "studies/"


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


def one(store: ObjectStore, study_id: str, contents: Contents) -> ListedStore:
    """List one study."""
    return ListedStore(store, store.entries(f"{_ROOM}{study_id}/"), contents)
