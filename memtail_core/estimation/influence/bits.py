"""0/1 matrices with one row of 64-bit words per example: what products of bits are made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled

_UNROLLED = 4  # words that the product takes at a time
_AT_ONCE = 4096  # examples unpacked at a time
_TOGETHER = 64  # bytes of a trial that are turned at a time, so that what is written stays cached


@dataclass(frozen=True, eq=False)
class Bits:
    """What each of T trials says of each of n examples, one bit each.

    Attributes:
        words: uint64 [n, W], W = ⌈T/64⌉ rounded up to a multiple of 4; bits beyond T are 0. Where
            in its row a trial has its bit is the same in all ``Bits`` and of no importance.
        trials: T.
    """

    words: NDArray[np.uint64]
    trials: int

    @classmethod
    def of(cls, packed: NDArray[np.uint8], n: int) -> "Bits":
        """Turn trials × examples, uint8 [T, ⌈n/8⌉] by numpy.packbits, into examples × trials."""
        width = -(-len(packed) // (64 * _UNROLLED)) * _UNROLLED
        turned = np.zeros((packed.shape[1] * 8, width * 8), np.uint8)
        _turn(np.ascontiguousarray(packed), turned)
        return cls(turned[:n].view(np.uint64), len(packed))

    def __len__(self) -> int:
        return len(self.words)

    @property
    def sums(self) -> NDArray[np.int64]:
        """How many trials say 1 of each example, int64 [n]."""
        return np.asarray(np.bitwise_count(self.words).sum(axis=1, dtype=np.int64))

    def inverted(self) -> "Bits":
        """Return the bits of the opposite."""
        full = Bits.of(np.full((self.trials, 1), 255, np.uint8), 1)
        return Bits(full.words ^ self.words, self.trials)

    def unpacked(self, word: int) -> NDArray[np.uint8]:
        """Return 0 and 1 of the 64 trials of one word, uint8 [n, 64]; 0 beyond the trials."""
        column = np.ascontiguousarray(self.words[:, word : word + 1])
        return np.unpackbits(column.view(np.uint8), axis=1)

    def permuted(self, order: NDArray[np.int64]) -> "Bits":
        """Let each trial say what another said: ``order`` is a permutation of the trials."""
        every = Bits.of(np.full((self.trials, 1), 255, np.uint8), 1)
        places = np.flatnonzero(np.unpackbits(every.words.view(np.uint8), axis=1)[0])
        words = np.empty_like(self.words)
        for start in range(0, len(words), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            bits = np.unpackbits(self.words[part].view(np.uint8), axis=1)
            bits[:, places] = bits[:, places[order]]
            words[part] = np.packbits(bits, axis=1).view(np.uint64)
        return Bits(words, self.trials)


@compiled
def _turn(packed: NDArray[np.uint8], turned: NDArray[np.uint8]) -> None:
    """Transpose bits, 8 trials × 8 examples at a time (Warren, Hacker's Delight, section 7-3)."""
    trials, width = packed.shape
    for start in range(0, width, _TOGETHER):
        for group in range(-(-trials // 8)):
            for byte in range(start, min(start + _TOGETHER, width)):
                x = np.uint64(0)
                for k in range(8 * group, min(8 * group + 8, trials)):
                    x |= np.uint64(packed[k, byte]) << np.uint64(8 * (k - 8 * group))
                t = (x ^ (x >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
                x = x ^ t ^ (t << np.uint64(7))
                t = (x ^ (x >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
                x = x ^ t ^ (t << np.uint64(14))
                t = (x ^ (x >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
                x = x ^ t ^ (t << np.uint64(28))
                for example in range(8):
                    turned[8 * byte + example, group] = x >> np.uint64(8 * (7 - example))
