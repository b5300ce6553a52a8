"""The unit of scheduling: a shard is ``shard_size`` consecutive trials, trained as one task.

The listing of a store is the only truth about progress: a shard is done when its object is there.
Shards are always whole, so that a study grown from 200 to 205 trials keeps all it has.
"""

import re
from dataclasses import dataclass

from memtail_core.store import ObjectStore
from memtail_core.study import Study

_NAME = re.compile(r"(\d{7})-(\d{7})")


@dataclass(frozen=True, order=True)
class Shard:
    """The trials [first, last) of a study."""

    first: int
    last: int

    @property
    def trials(self) -> range:
        """The trials as a range."""
        return range(self.first, self.last)

    @property
    def name(self) -> str:
        """``0000000-0000010``, which sorts as the shards do."""
        return f"{self.first:07d}-{self.last:07d}"

    def key(self, study: Study) -> str:
        """Where the shard's object is."""
        return f"{study.prefix}shards/{self.name}.npz"


def planned(study: Study, trials: int) -> list[Shard]:
    """The fewest whole shards with at least ``trials`` trials."""
    size = study.shard_size
    return [Shard(first, first + size) for first in range(0, trials, size)]


def named(study: Study, name: str) -> Shard | None:
    """The shard of ``study`` that is called ``name``, if there is one."""
    found = _NAME.fullmatch(name)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    size = study.shard_size
    is_one = shard and shard.first % size == 0 and shard.last == shard.first + size
    return shard if is_one else None


def stored(store: ObjectStore, study: Study) -> list[Shard]:
    """The shards whose objects are in ``store``, in order."""
    keys = store.list(f"{study.prefix}shards/")
    names = (key.rpartition("/")[2] for key in keys)
    shards = (named(study, name.removesuffix(".npz")) for name in names if name.endswith(".npz"))
    return [shard for shard in shards if shard]


def missing(store: ObjectStore, study: Study, trials: int) -> list[Shard]:
    """The planned shards that are not stored, in order."""
    done = set(stored(store, study))
    return [shard for shard in planned(study, trials) if shard not in done]
