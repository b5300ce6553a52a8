"""The bytes of a text file as UTF-8, whatever its encoding is."""

import codecs
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow

from memtail_core.errors import DatasetError, StudyError

_MARKS = (  # the longer first: UTF-32 begins as UTF-16 does
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = (  # what is no text, and what to do with it
    (b"PAR1", "a Parquet file: write 'parquet:'"),
    (b"PK\x03\x04", "a workbook or a zip archive: export the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: export the table as CSV"),
    (b"\x93NUMPY", "an array of numpy: save it as npz and write 'npz:'"),
    (b"%PDF", "a PDF"),
)


class Decoded(NamedTuple):
    """UTF-8 without a byte-order mark, and the encoding it had if that was another."""

    content: bytes
    encoding: str | None


def decoded(file: Path, path: str, encoding: str | None) -> Decoded:
    """Read a file, also a compressed one (.gz, .bz2, .zst), and make it UTF-8.

    Raises:
        StudyError: the encoding is unknown.
        DatasetError: the file cannot be read, or is not text in this encoding.
    """
    try:
        with pyarrow.input_stream(str(file), compression="detect") as stream:
            content: bytes = stream.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise DatasetError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    for start, what in _OTHERS:
        if content.startswith(start):
            raise DatasetError(f"'{path}' is not a CSV file but {what}")
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None and marked in (None, "utf-8"):
        return Decoded(_utf8(content.removeprefix(codecs.BOM_UTF8), path), None)
    try:
        text = content.decode(encoding or marked or "utf-8")
    except LookupError as error:
        raise StudyError(
            f"[dataset] encoding = '{encoding}' is unknown: give 'utf-8', 'utf-16', 'cp1252', "
            "'latin-1', 'gb18030', 'shift-jis', …"
        ) from error
    except (UnicodeError, ValueError) as error:
        raise DatasetError(
            f"'{path}' is not text in the encoding '{encoding or marked}'"
        ) from error
    return Decoded(text.removeprefix("\ufeff").encode("utf-8", "replace"), encoding or marked)


def _utf8(content: bytes, path: str) -> bytes:
    """Return ``content`` if it is UTF-8, else say where it is not and which option mends it."""
    ends = pyarrow.py_buffer(np.array([0, len(content)], dtype=np.int64))
    whole = [None, ends, pyarrow.py_buffer(content)]
    try:  # without a copy, which a large file would need as a text of Python
        pyarrow.Array.from_buffers(pyarrow.large_string(), 1, whole).validate(full=True)
    except pyarrow.ArrowException as error:
        line = content.count(b"\n", 0, _first_wrong(content)) + 1
        likely = "utf-16" if b"\x00" in content[:1000] else "cp1252"
        raise DatasetError(
            f"'{path}' is not UTF-8 text in line {line}: set [dataset] encoding, as "
            f'encoding = "{likely}"'
        ) from error
    if b"\x00" in content:
        line = content.count(b"\n", 0, content.index(b"\x00")) + 1
        raise DatasetError(
            f"'{path}' holds a NUL byte in line {line}: if it is UTF-16, set [dataset] "
            'encoding = "utf-16-le"'
        )
    return content


def _first_wrong(content: bytes) -> int:
    """The first byte that is not UTF-8."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(content)
