"""Decides what the columns of a training and a test table are, over both together."""

from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc

from memtail_core.data.sources.table import dates
from memtail_core.data.sources.table.columns import Column, LeftOut, is_unnamed
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import Rows
from memtail_core.data.sources.table.options import Kind, Options
from memtail_core.data.sources.table.text import Text, is_text, matching
from memtail_core.data.sources.table.text_columns import TextColumn

_NOTHING = "it holds nothing"


def decide(rows: Rows, label: str, options: Options, faults: Faults) -> list[Column | LeftOut]:
    """Read each column beside the label, in the order of the training table.

    Columns that cannot be read are not in the list but in ``faults``.

    Raises:
        StudyError: an option names a column that is not there.
    """
    train, *others = rows.files
    names = [name for name in train.table.column_names if name != label]
    known = list(dict.fromkeys([*names, *(n for f in others for n in f.table.column_names)]))
    ignored, stated = options.ignored(known), options.stated(known)
    decided: list[Column | LeftOut] = []
    for name in names:
        if name in ignored:
            decided.append(LeftOut(name, "ignored, as the study says"))
        elif name in train.indices and name not in stated:
            decided.append(LeftOut(name, "an index of pandas"))
        elif is_unnamed(name):
            decided.append(LeftOut(name, "no name, as an index that pandas writes"))
        elif (given := rows.together(name, faults)) is not None:
            column = _column(name, given, stated.get(name), rows, options, faults)
            if isinstance(column, Column) and column.is_missing[: rows.n_train].all():
                column = LeftOut(name, _NOTHING)
            decided += [column] if column is not None else []
    for file in others:
        own = file.table.column_names
        more = [n for n in own if matching(n, [*names, label]) is None and not is_unnamed(n)]
        decided += [LeftOut(name, f"only '{file.path}' has it") for name in more]
    return decided


def _column(
    name: str, given: Any, stated: Kind | None, rows: Rows, options: Options, faults: Faults
) -> Column | LeftOut | None:
    """Read one column of Arrow, of both tables; the fields of a CSV file are text."""
    if pc.all(given.is_null(nan_is_null=True)).as_py():
        return LeftOut(name, _NOTHING)
    if stated == "words" and not pyarrow.types.is_nested(given.type):
        given = given.cast("string")
    if is_text(given.type):
        return TextColumn(name, Text.of(given, options.na_values), rows, options, faults).read(
            stated
        )
    column = _typed(name, given)
    if column is None or stated not in (None, column.kind):
        faults.add(
            f"the column '{name}' of '{rows.files[0].path}' is {given.type}: "
            f"{'numbers, words or dates are' if column is None else f'a {stated} is'} needed: "
            f'{_hint(name, given.type)}[dataset] ignore = ["{name}"] leaves it out'
        )
        return None
    return column


def _hint(name: str, kind: pyarrow.DataType) -> str:
    """How images lie in Parquet files of Hugging Face: bytes and path."""
    has_bytes = pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    return f'[dataset] image = "{name}" reads images, ' if has_bytes else ""


def _typed(name: str, given: Any) -> Column | None:
    """A column whose type the file states; None if it is neither numbers nor dates."""
    kind, types = given.type, pyarrow.types
    is_missing = given.is_null(nan_is_null=True).to_numpy()
    if dates.is_date(kind):
        values, note = dates.numbers(given.combine_chunks())
        return Column(name, "date", values, is_missing, note=note)
    if types.is_boolean(kind):
        given, kind = given.cast("int64"), pyarrow.int64()
    if types.is_integer(kind):
        return Column(name, "number", given.fill_null(0).to_numpy(), is_missing)
    if types.is_floating(kind) or types.is_decimal(kind):
        values = given.cast("float64").fill_null(0.0).to_numpy()
        return Column(name, "number", np.where(is_missing, 0.0, values), is_missing)
    return None
