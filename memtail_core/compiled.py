"""Compiling the loops that touch every pair, and the one instruction Python has no word for."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import njit, types
from numba.extending import intrinsic

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile for this processor when first called; threads run it side by side.

    What was compiled is kept beside the source, or in the user's cache, where either can be
    written; it takes some seconds otherwise.
    """
    try:
        made: Callable[P, R] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to keep it
        made = njit(nogil=True)(function)
    return made


def _ones(typing_context: Any, word: Any) -> Any:
    """How many of a uint64's bits are 1: one instruction, for eight words at once with AVX-512."""
    del typing_context, word

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


ones: Any = intrinsic(_ones)
