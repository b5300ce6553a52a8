"""Compiling the loops that touch every pair, and the instructions Python has no word for."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from llvmlite import ir
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

ROW = 64
"""Bytes of a row that :data:`add_rows` and :data:`set_row` add at once: one or two registers."""

_TABLES, _ENTRIES = 4, 256


def _row(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """The address of a row of 64 bytes of a contiguous array."""
    lanes = 8 * ROW // kind.dtype.bitwidth
    data = context.make_array(kind)(context, builder, array).data
    first = builder.mul(row, ir.Constant(ir.IntType(64), lanes))
    vector = ir.VectorType(context.get_data_type(kind.dtype), lanes)
    return builder.bitcast(builder.gep(data, [first]), vector.as_pointer())


def _add_rows(typing_context: Any, sums: Any, row: Any, tables: Any, word: Any) -> Any:
    del typing_context, row, word

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        total = builder.load(at, align=2)
        for k in range(_TABLES):
            byte = builder.lshr(arguments[3], ir.Constant(ir.IntType(64), 8 * k))
            byte = builder.and_(byte, ir.Constant(ir.IntType(64), _ENTRIES - 1))
            entry = builder.add(byte, ir.Constant(ir.IntType(64), _ENTRIES * k))
            found = _row(context, builder, signature.args[2], arguments[2], entry)
            total = builder.add(total, builder.load(found, align=2))
        builder.store(total, at, align=2)
        return context.get_dummy_value()

    return types.void(sums, types.int64, tables, types.uint64), generate


add_rows: Any = intrinsic(_add_rows)
"""``add_rows(sums, r, tables, word)``: sums[r] += tables[256 k + byte k of word], k = 0 … 3.

Both are contiguous int16 [·, 32].
"""


def _set_row(typing_context: Any, rows: Any, to: Any, of: Any, others: Any, other: Any) -> Any:
    del typing_context, to, of, other

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, array = signature.args[0], arguments[0]
        to, of = (_row(context, builder, kind, array, each) for each in arguments[1:3])
        other = _row(context, builder, signature.args[3], *arguments[3:])
        size = kind.dtype.bitwidth // 8
        one, two = (builder.load(each, align=size) for each in (of, other))
        is_float = isinstance(kind.dtype, types.Float)
        total = builder.fadd(one, two) if is_float else builder.add(one, two)
        builder.store(total, to, align=size)
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64, others, types.int64), generate


set_row: Any = intrinsic(_set_row)
"""``set_row(rows, to, of, others, other)``: rows[to] = rows[of] + others[other].

Both are contiguous int16 [·, 32] or float32 [·, 16].
"""
