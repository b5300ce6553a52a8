"""Shards: ``shard_size`` consecutive trials, trained as one task; pure arithmetic over their names.

A shard is the unit of scheduling, retry, upload and resume. Shards are always whole, so that a
study grown from 200 to 205 trials keeps all it has.
"""

import re
from dataclasses import dataclass

from memtail_core.study import Study

_NAME = re.compile(r"(\d{7})-(\d{7})")


@dataclass(frozen=True, order=True, slots=True)
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
        """``0000000-0000010``: names sort as the shards do."""
        return f"{self.first:07d}-{self.last:07d}"

    def key(self, study: Study) -> str:
        """The key of the shard's bits in a store."""
        return f"{study.prefix}shards/{self.name}.npz"

    def values_key(self, study: Study) -> str:
        """The key of the shard's real values (margins), where the recipe gives them."""
        return f"{study.prefix}values/{self.name}.npz"


def planned(study: Study, trials: int) -> list[Shard]:
    """The fewest whole shards with at least ``trials`` trials."""
    size = study.shard_size
    return [Shard(first, first + size) for first in range(0, trials, size)]


def named(study: Study, name: str) -> Shard | None:
    """The shard of ``study`` of this name; None if the study has no such shard."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    shard, size = Shard(int(match[1]), int(match[2])), study.shard_size
    is_whole = shard.first % size == 0 and shard.last == shard.first + size
    return shard if is_whole else None
