"""The numbers of trials at which stopping rules are asked; who plans with them asks no rule."""

from collections.abc import Iterator
from math import ceil

FIRST = 20  # trials at the first look
_GROWTH = 1.1  # factor to the next


def looks(shard_size: int) -> Iterator[int]:
    """Yield numbers of trials at which to look: whole shards, each a tenth more than the last."""
    n = shard_size * ceil(FIRST / shard_size)
    while True:
        yield n
        n = max(n + shard_size, shard_size * ceil(n * _GROWTH / shard_size - 1e-9))
