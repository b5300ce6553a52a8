"""Memory that runs out, on a CPU or a GPU: how to recognise it and how to report it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memtail_core.errors import MemtailError, OutOfMemoryError, causes

if TYPE_CHECKING:
    import torch

_MESSAGES = (  # of allocators, the driver and the libraries, in lower case
    "can't allocate memory",
    "unable to allocate",  # numpy
    "bad_alloc",  # C++
    "out of memory",
    "resource_exhausted",  # JAX, TensorFlow
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "cudnn_status_internal_error_device_allocation_failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, here or in what was handled when ``error`` was raised."""
    import torch

    return any(
        isinstance(each, MemoryError | torch.OutOfMemoryError)
        or any(text in str(each).lower() for text in _MESSAGES)
        for each in causes(error)
    )


@contextmanager
def reporting_out_of_memory(
    recipe: str, device: "torch.device | str", advice: str
) -> Iterator[None]:
    """Raise OutOfMemoryError, with what to do, for any error that means memory ran out.

    A study's code and data are not at fault then: another machine, or fewer processes, may do.

    Args:
        recipe: the recipe's name, as in ``[training]``.
        device: where it trains.
        advice: what makes it smaller: "a smaller network".
    """
    try:
        yield
    except MemtailError:
        raise
    except (Exception, SystemExit) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"out of memory on {device} while training '{recipe}': use fewer --workers, {advice}"
        ) from error
