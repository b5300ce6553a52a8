"""Which shards of a study are stored: the listing of the store is the only truth about progress.

A study of 100,000 shards takes a bucket ten seconds to list. Whoever has listed it lately asks only
where shards were missing then; now and then everything is listed again.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study

LARGE = 5000  # shards; fewer are listed again as a whole
_PAGE = 1000  # shards that a store lists at once
_MOST_PAGES = 10
_ENDLESS = 10**9  # trials, more than any study has
_SHARE = 0.05  # of the time, at most, is spent on listing everything


@dataclass(frozen=True)
class Listing:
    """The stored shards of a study.

    Attributes:
        shards: ascending.
        begun, seconds: when everything was listed last, by the monotonic clock, and what it took.
    """

    shards: tuple[Shard, ...]
    begun: float
    seconds: float

    @classmethod
    def of(cls, store: ObjectStore, study: Study, before: "Listing | None" = None) -> "Listing":
        """List a study; of a large one that was listed ``before``, where shards were missing."""
        begun = time.monotonic()
        if before is not None and begun < before.begun + before.seconds / _SHARE:
            added = _added(store, study, before.shards)
            if added is not None:
                every = tuple(sorted({*before.shards, *added})) if added else before.shards
                return cls(every, before.begun, before.seconds)
        every = tuple(_listed(store, study))
        return cls(every, begun, time.monotonic() - begun)


def stored_shards(store: ObjectStore, study: Study) -> list[Shard]:
    """The shards whose bits are in ``store``, in order."""
    return list(_listed(store, study))


def _listed(store: ObjectStore, study: Study, after: str = "") -> Iterator[Shard]:
    keys = store.list(f"{study.prefix}shards/", after)
    names = (key.rpartition("/")[2] for key in keys)
    every = (
        shards.named(study, name.removesuffix(".npz")) for name in names if name.endswith(".npz")
    )
    return (shard for shard in every if shard)


def _added(store: ObjectStore, study: Study, known: tuple[Shard, ...]) -> list[Shard] | None:
    """The shards that were added to those known; None if asking for everything is as fast."""
    if len(known) < LARGE:
        return None
    there = set(known)
    pairs = pairwise((Shard(0, 0), *known))
    gaps = [(left.last, right.first) for left, right in pairs if left.last < right.first]
    gaps.append((known[-1].last, _ENDLESS))
    added: list[Shard] = []
    listed_to = 0  # trials
    for _ in range(_MOST_PAGES):
        start = next(max(first, listed_to) for first, end in gaps if end > listed_to)
        after = Shard(start - study.shard_size, start).key(study) if start else ""
        some = list(islice(_listed(store, study, after), _PAGE))
        added += [shard for shard in some if shard not in there]
        if len(some) < _PAGE:
            return added
        listed_to = some[-1].last
    return None
