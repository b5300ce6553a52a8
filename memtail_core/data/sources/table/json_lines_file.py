"""Reads a file of JSON lines: an object on each line, its keys the columns."""

from typing import Any

import pyarrow
from pydantic_core import from_json

from memtail_core.data.sources.table.encodings import decoded
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.paths import existing
from memtail_core.data.sources.table.text import nfc


def read(path: str, encoding: str | None, faults: Faults) -> File:
    """Read the file at ``path``; also a compressed one. Blank lines are left out.

    Raises:
        StudyError: the encoding is unknown.
        DatasetError: the file cannot be read at all. What is wrong with a line is in ``faults``.
    """
    content, was = decoded(existing(path), path, encoding)
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = from_json(line, allow_inf_nan=False)
        except ValueError as error:
            faults.add(f"line {number} of '{path}' is no JSON: {str(error).splitlines()[0]}")
            continue
        if not isinstance(row, dict):
            faults.add(f"line {number} of '{path}' holds {type(row).__name__}, not an object")
            continue
        rows.append({nfc(key): value for key, value in row.items()})
        lines.append(number)
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pyarrow.table({name: _column(name, rows, path, faults) for name in names})
    notes = [f"encoding {was}"] if was else []
    return File(path, table, lambda row: f"line {lines[row]}", notes=notes, is_typed=True)


def _column(name: str, rows: list[dict[str, Any]], path: str, faults: Faults) -> Any:
    """One key of all rows; it is null where a row lacks it."""
    values = [row.get(name) for row in rows]
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError) as error:
        if {type(value) for value in values} <= {int, float, type(None)}:
            return pyarrow.array(values, pyarrow.float64())
        faults.add(
            f"'{path}' has values of several kinds under '{name}': {str(error).splitlines()[0]}"
        )
        return pyarrow.nulls(len(values))
