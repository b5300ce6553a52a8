"""Pretrained weights by their digest, kept in the cache of this machine as a file without pickle.

A study that fine-tunes names its weights by digest. Whoever prepares it reads them from the user's
file and keeps them here; the store gets them from here, and other machines get them from the store.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from memtail_core.errors import DamagedError, MachineError
from memtail_core.settings import settings
from memtail_core.store import FilesStore, archive
from memtail_core.store.archive import Arrays
from memtail_core.store.document import document

PREFIX = "sha256:"
"""What ``[training] weights`` of a study begins with; the 64 digits of the digest follow."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The state of a network.

    Attributes:
        arrays: numbers by name, in the order of the network; floats are float32.
        config: JSON that says how to build the network where its name does not; else empty.
    """

    arrays: Arrays
    config: str = ""

    @cached_property
    def sha256(self) -> str:
        """Digest of the content, whatever file it came from."""
        digest = hashlib.sha256(self.config.encode())
        for name, array in self.arrays.items():
            digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def encoded(self) -> bytes:
        """As one file that proves itself."""
        arrays = {f"array_{i}": array for i, array in enumerate(self.arrays.values())}
        about = json.dumps({"names": list(self.arrays), "config": self.config})
        return archive.packed(arrays | {"about": np.array(about)})

    @classmethod
    def decoded(cls, content: bytes, sha256: str) -> "Weights":
        """Read :meth:`encoded`.

        Raises:
            DamagedError: it is another file, or of other weights.
        """
        arrays = archive.unpacked(content)
        try:
            about = document(str(arrays["about"]))
            names = [str(name) for name in about["names"]]
            weights = cls(
                {name: arrays[f"array_{i}"] for i, name in enumerate(names)}, str(about["config"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError("it holds no weights") from error
        if weights.sha256 != sha256:
            raise DamagedError("it holds other weights")
        return weights


def weights_key(sha256: str) -> str:
    """Where the weights of this digest are, in a store and in the cache."""
    return f"weights/{sha256}.npz"


def keep(weights: Weights) -> str:
    """Keep weights in the cache of this machine; return how a study names them.

    Raises:
        StoreError: the cache cannot be written to.
    """
    cache, key = FilesStore(settings().cache), weights_key(weights.sha256)
    if not cache.exists(key):
        cache.put(key, weights.encoded())
    return f"{PREFIX}{weights.sha256}"


@lru_cache(2)
def kept(sha256: str) -> Weights:
    """The weights of this digest, from the cache of this machine, verified.

    Raises:
        MachineError: they are not there, or damaged.
    """
    cache = FilesStore(settings().cache)
    try:
        return Weights.decoded(cache.get(weights_key(sha256)), sha256)
    except KeyError:
        reason = "are not in the cache of this machine"
    except DamagedError as error:
        cache.delete(weights_key(sha256))
        reason = f"were damaged in the cache of this machine ({error})"
    raise MachineError(
        f"the weights {sha256[:12]} {reason}: run the study from its study file, or from a store "
        "that has them"
    )
