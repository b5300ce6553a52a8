"""One scale from deep grey values (12, 16 or 32 bits, or floats) to the shades 0 … 255."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FULL = 65535  # the largest value of 16 bits


@dataclass(frozen=True)
class Range:
    """The smallest and largest grey value of an image, or of many."""

    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Range":
        """Return the range of ``values``, which are finite."""
        return cls(float(values.min()), float(values.max()))

    def __or__(self, other: "Range") -> "Range":
        """Return the range of both."""
        return Range(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True)
class GreyScale:
    """Maps low … high to the shades 0 … 255, the same in every image of a dataset."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Range) -> "GreyScale":
        """Return the scale for a dataset whose values are in this range.

        Values that reach the upper half of 16 bits are taken to use all 16; of others, the smallest
        becomes black and the largest white. 12-bit values in 16-bit files thus keep their shades.
        """
        if values.low >= 0 and _FULL / 2 < values.high <= _FULL:
            return cls(0.0, float(_FULL))
        return cls(values.low, values.high)

    def shades(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return grey ``values`` [h, w] as shades."""
        step = (self.high - self.low) / 255 or 1.0  # of a constant dataset: all black
        shades = (values.astype(np.float64) - self.low) / step
        return shades.round().clip(0, 255).astype(np.uint8)
