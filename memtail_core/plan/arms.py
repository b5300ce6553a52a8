"""Arms: what the trials of an experiment leave out, each arm repeated several times.

An experiment measures networks trained without certain examples, so its trials do not train on
random subsets but on all training examples except those of an arm. Arms are kept beside the study
that trains them, as ``studies/<id>/arms.npz``, and their digest is part of its id.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import StudyError


@dataclass(frozen=True, eq=False)
class Arms:
    """A arms over n training examples.

    Attributes:
        left_out: bool [A, n], what each arm leaves out in every repeat.
        at_random: int64 [A], how many others it leaves out as well, drawn anew in each repeat.
    """

    left_out: NDArray[np.bool_]
    at_random: NDArray[np.int64]

    def __post_init__(self) -> None:
        kept = self.left_out.shape[1] - self.left_out.sum(axis=1) - self.at_random
        if self.at_random.shape != self.left_out.shape[:1] or (self.at_random < 0).any():
            raise StudyError("an arm needs a number ≥ 0 of examples to leave out at random")
        if len(kept) == 0 or kept.min() < 2:
            raise StudyError("an arm leaves fewer than 2 examples to train on")

    def __len__(self) -> int:
        return len(self.at_random)

    def subset(self, arm: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Return what one trial of an arm trains on, bool [n]."""
        subset: NDArray[np.bool_] = ~self.left_out[arm]
        others = np.flatnonzero(subset)
        subset[rng.permutation(others)[: self.at_random[arm]]] = False
        return subset

    @cached_property
    def sha256(self) -> str:
        """Digest of the content."""
        digest = hashlib.sha256(f"{self.left_out.shape}".encode())
        digest.update(np.packbits(self.left_out, axis=1).tobytes())
        digest.update(self.at_random.astype("<i8").tobytes())
        return digest.hexdigest()

    def to_npz(self) -> bytes:
        """Encode as an npz file without pickle."""
        buffer = io.BytesIO()
        packed = np.packbits(self.left_out, axis=1)
        np.savez(buffer, left_out=packed, at_random=self.at_random, n=self.left_out.shape[1])
        return buffer.getvalue()

    @classmethod
    def from_npz(cls, content: bytes, sha256: str) -> "Arms":
        """Decode :meth:`to_npz`; raises StudyError if it is damaged or another's."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                n = int(file["n"])
                left_out = np.unpackbits(file["left_out"], axis=1, count=n).astype(bool)
                arms = cls(left_out, file["at_random"])
        except MemoryError:
            raise
        except Exception as error:  # zipfile and numpy raise a dozen kinds on what is no archive
            raise StudyError(f"the stored arms {sha256[:12]} are damaged ({error})") from error
        if arms.sha256 != sha256:
            raise StudyError(f"the stored arms {sha256[:12]} are damaged (their digest differs)")
        return arms
