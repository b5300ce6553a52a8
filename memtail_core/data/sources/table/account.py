"""Says in lines what a table held: every column, what it was read as, and what was left out."""

from collections.abc import Iterable, Iterator, Sequence

from memtail_core.data.sources.table.columns import Column, LeftOut
from memtail_core.data.sources.table.files import File

_MOST_NAMES = 20
_MOST_WORDS = 6
_LONGEST = 40  # characters of a word


def of_file(file: File) -> str:
    """``'a.csv': 120 rows, 5 columns, encoding utf-16``."""
    table = file.table
    counts = f"{table.num_rows:,} rows, {table.num_columns:,} columns"
    return f"'{file.path}': {', '.join([counts, *file.notes])}"


def of_label(name: str, classes: Sequence[str]) -> str:
    """``label 'y': 2 classes, no, yes``."""
    return f"label '{name}': {len(classes):,} classes, {_names(classes)}"


def of_columns(columns: Iterable[Column | LeftOut]) -> Iterator[str]:
    """A line for each column; plain numbers, and columns left out for one reason, share one."""
    columns = list(columns)
    plain = [
        c.name for c in columns if isinstance(c, Column) and c.kind == "number" and not _note(c)
    ]
    if plain:
        yield f"numbers: {_names(plain)}"
    for column in columns:
        if isinstance(column, Column) and column.kind == "words":
            yield f"{column.name}: {len(column.words)} words, {_names(column.words)}"
        elif isinstance(column, Column) and column.kind == "date":
            yield f"{column.name}: {column.note}"
        elif isinstance(column, Column) and _note(column):
            yield f"{column.name}: a number, {_note(column)}"
    for why in dict.fromkeys(c.why for c in columns if isinstance(c, LeftOut)):
        names = [c.name for c in columns if isinstance(c, LeftOut) and c.why == why]
        yield f"left out: {_names(names)}: {why}"


def _note(column: Column) -> str:
    known = column.values[~column.is_missing]
    if column.kind == "number" and len(known) and known.min() == known.max():
        return ", ".join(filter(None, [column.note, f"always {known[0]}"]))
    return column.note


def _names(names: Sequence[str]) -> str:
    most = _MOST_NAMES if max(map(len, names)) < _LONGEST else _MOST_WORDS
    cut = [n if len(n) <= _LONGEST else n[: _LONGEST - 1] + "…" for n in names[:most]]
    return ", ".join(cut) + (f" and {len(names) - most:,} more" if len(names) > most else "")
