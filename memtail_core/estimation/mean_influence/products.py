"""Products of small whole numbers, by whatever multiplies them fastest on this machine."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TRIED, _ROUNDS = 256, 3  # rows and columns of the products that are timed, and how many
_EDGE = 32  # sizes that int8 products take are multiples of 8, and more than 16

Product = Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[Any]]
"""int8 [R, K] and [C, K] to whole numbers, [at least R, at least C]."""


def _by_int8(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
    import torch

    rows, columns = (torch.from_numpy(_padded(each)) for each in (left, right))
    found: NDArray[np.int32] = torch._int_mm(rows, columns.T).numpy()
    return found


def _by_float32(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.float32]:
    import torch

    rows, columns = (torch.from_numpy(each).float() for each in (left, right))
    found: NDArray[np.float32] = (rows @ columns.T).numpy()
    return found


@cache
def fastest_product() -> Product:
    """Return what multiplies int8 [R, K] and [C, K] fastest here to [at least R, at least C].

    Both ways give the same whole numbers. Processors without instructions for int8 take thirty
    times as long with it.
    """
    one = np.ones((_TRIED, _TRIED), np.int8)
    taken = {}
    for way in (_by_float32, _by_int8):
        try:
            way(one, one)
        except (RuntimeError, NotImplementedError, AttributeError):
            continue  # this version of torch has no such product
        start = time.thread_time()  # of this processor alone, however busy the machine is
        for _ in range(_ROUNDS):
            way(one, one)
        taken[way] = time.thread_time() - start
    return min(taken, key=lambda way: taken[way])


def _padded(rows: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.pad(rows, ((0, -len(rows) % _EDGE), (0, 0)))
