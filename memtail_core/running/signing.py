"""The key that signs shards, ``MEMTAIL_SHARD_KEY``, for those who share a bucket with others.

A digest proves that a file is whole, and not who made it. With a key, everyone who trains signs the
shards, and everyone who reads them takes an unsigned or forged one for damaged.
"""

from memtail_core.settings import settings


def shard_key() -> bytes | None:
    """The key; None where none is set: then nothing is signed, and signatures are not checked."""
    given = settings().shard_key
    return None if given is None else given.get_secret_value().encode()
