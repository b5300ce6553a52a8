"""Mean and standard deviation of a dataset's channels or columns, computed chunk by chunk."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples

_ROWS = 1024  # read at once; constant, for it can change the last bits


def moments(
    examples: Examples, embed: Callable[[NDArray[Any]], NDArray[Any]] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute mean and deviation along the last axis, over examples and all other axes.

    Args:
        examples: images [h, w, c], say, or rows of a table [c].
        embed: what to turn each chunk [n, …] into first, [n, …, c].

    Returns:
        float64 [c] each.
    """

    def chunks() -> Iterator[NDArray[Any]]:
        return (x if embed is None else embed(x) for x in examples.chunks(_ROWS))

    count, total = 0, np.float64(0)
    for x in chunks():
        count += x.size // x.shape[-1]
        total = total + x.sum(tuple(range(x.ndim - 1)), dtype=np.float64)
    mean, squares = total / count, np.float64(0)
    for x in chunks():
        apart = x - mean  # of large images hundreds of megabytes, of which one copy is enough
        squares = squares + np.square(apart, out=apart).sum(tuple(range(x.ndim - 1)))
    return np.asarray(mean), np.sqrt(squares / count)
