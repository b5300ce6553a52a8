"""Text in CSV files that a spreadsheet would run as a formula, made harmless.

Excel and others run a cell that begins with ``=``, ``+``, ``-`` or ``@``, and names of classes,
files and columns come from data. Such a cell gets an apostrophe in front, as OWASP recommends.
Numbers stay as they are, and so does all of Parquet and JSON.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

_FORMULA = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"  # the last four are the signs' wide forms
_NUMBER = r"^[+-]([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def harmless(table: pa.Table) -> tuple[pa.Table, int]:
    """Return the table with an apostrophe before each formula, and how many there were.

    Names of columns count too.
    """
    changed, names, columns = 0, [], []
    for given, column in zip(table.column_names, table.columns, strict=True):
        is_name = is_formula(given)
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        written, n_cells = _harmless(column) if is_text else (column, 0)
        changed += is_name + n_cells
        names.append(f"'{given}" if is_name else given)
        columns.append(written)
    return (pa.Table.from_arrays(columns, names=names), changed) if changed else (table, 0)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run this cell."""
    return bool(re.match(_FORMULA, text)) and not re.match(_NUMBER, text)


def _harmless(texts: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    looks = pc.match_substring_regex(texts, _FORMULA)
    if not pc.any(looks).as_py():  # nearly always
        return texts, 0
    runs = pc.fill_null(pc.and_not(looks, pc.match_substring_regex(texts, _NUMBER)), False)
    if not (n := pc.sum(runs).as_py() or 0):
        return texts, 0
    apostrophe, nothing = (pa.scalar(text, texts.type) for text in ("'", ""))
    quoted = pc.binary_join_element_wise(apostrophe, texts, nothing)
    return pc.if_else(runs, quoted, texts), n
