"""Shards: ``shard_size`` consecutive trials, trained as one task; pure arithmetic over their names.

A shard is the unit of scheduling, retry, upload and resume. Shards are always whole, so that a
study grown from 200 to 205 trials keeps all it has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from memtail_core.errors import StudyError
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

    def probabilities_key(self, study: Study) -> str:
        """The key of the shard's held-out class probabilities, where the study keeps them."""
        return f"{study.prefix}probabilities/{self.name}.npz"

    def checkpoint_key(self, study: Study) -> str:
        """The key of the state of a training of the shard that is under way, or was interrupted."""
        return f"{study.prefix}checkpoints/{self.name}.npz"


@dataclass(frozen=True)
class Part:
    """Every ``of``-th shard, from the one of this ``number`` on: what one job of a batch trains."""

    number: int = 0
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Read ``3/64``; numbers begin at 0, as those of job arrays do.

        Raises:
            StudyError: it is no part.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if match is None or int(match[1]) >= int(match[2]):
            raise StudyError(f"'{text}' is no part: write 0/64 for the first, 63/64 for the last")
        return cls(int(match[1]), int(match[2]))

    def of_shards(self, shards: Iterable[Shard]) -> list[Shard]:
        """Return those that belong to this part, in the same order."""
        return [s for s in shards if s.first // (s.last - s.first) % self.of == self.number]

    def __str__(self) -> str:
        """As :meth:`parse` reads it."""
        return f"{self.number}/{self.of}"


WHOLE = Part()


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
