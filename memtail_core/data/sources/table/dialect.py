"""The dialect of a CSV file: where its header is, what separates columns, where a row stands."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from memtail_core.data.sources.table.text import matching, nfc
from memtail_core.errors import StudyError

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Dialect:
    """Where the header of a file is and what separates its columns."""

    content: bytes  # UTF-8 from the header on
    n_above: int  # lines above the header
    delimiter: str
    header: list[str]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Every row below the header that holds something: its line in the file, its fields."""
        text = io.TextIOWrapper(io.BytesIO(self.content), encoding="utf-8", newline="")
        reader = csv.reader(text, delimiter=self.delimiter)
        next(reader)
        line = reader.line_num
        for fields in reader:
            if any(field.strip() for field in fields):
                yield self.n_above + line + 1, fields
            line = reader.line_num

    def place(self, row: int) -> str:
        """The line of a row, counted as an editor counts."""
        try:
            whole = (line for line, each in self.records() if len(each) == len(self.header))
            return f"line {next(line for i, line in enumerate(whole) if i == row)}"
        except (csv.Error, StopIteration):  # a field of more than 128 kB
            return f"row {row} (counting from 0)"


def find(content: bytes, label: str, delimiter: str | None) -> Dialect:
    """Skip what stands above the header, and find what separates its columns.

    Args:
        content: the file, as UTF-8.
        label: a column; by default the delimiter is the one that makes it a column.
        delimiter: of the study, if it states one.

    Raises:
        StudyError: the delimiter is not one character.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise StudyError(
            f"[dataset] delimiter = {delimiter!r}: give one character, as ';' or '\\t'"
        )
    lines = content[:1_000_000].splitlines(keepends=True)
    start = 0
    while start < len(lines) and _is_above(lines[start], label):
        start += 1
    if start < len(lines) and re.match(rb"(?i)sep=[^\r\n]", lines[start]):  # Excel's first line
        delimiter = delimiter or lines[start][4:5].decode("utf-8", "replace")
        start += 1
    rest = content[sum(len(line) for line in lines[:start]) :]
    headers = {d: _header(rest, d) for d in ([delimiter] if delimiter else _DELIMITERS)}
    fitting = [d for d, header in headers.items() if matching(label, header) and len(header) > 1]
    fitting = fitting or [d for d, header in headers.items() if matching(label, header)]
    chosen = (fitting or list(headers))[0]
    return Dialect(rest, start, chosen, headers[chosen])


def _is_above(line: bytes, label: str) -> bool:
    """Whether a line is blank or a comment; ``#id,y`` is a header if ``y`` is the label."""
    if not line.strip():
        return True
    fields = (_header(line, delimiter) for delimiter in _DELIMITERS)
    return line.startswith(b"#") and not any(matching(label, each) for each in fields)


def _header(content: bytes, delimiter: str) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    try:
        return [nfc(name) for name in next(csv.reader(text, delimiter=delimiter), [])]
    except (csv.Error, UnicodeError):
        return []
