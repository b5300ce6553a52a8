"""A table as people want it: for the eye, or as a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memtail_core.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("csv", "parquet", "json")
_BINARY = ("parquet", "npz")

output_option = click.option(
    "--output", "-o", type=click.Path(dir_okay=False), help="A file. [default: stdout]"
)


def format_of(output: str | None, asked: str | None, allowed: tuple[str, ...]) -> str | None:
    """Return the format asked for, or that of the file's ending, or None."""
    ending = Path(output or "").suffix.removeprefix(".").lower()
    found = asked or (ending if ending in allowed else None)
    if found in _BINARY and output is None and sys.stdout.isatty():
        raise click.UsageError(f"{found} is binary: give --output FILE, or redirect it")
    return found


def encode(table: "pa.Table", format_: str) -> bytes:
    """Turn a table into a file of one of FORMATS."""
    from memtail_core.report import tables

    encoders = {"csv": tables.to_csv, "parquet": tables.to_parquet, "json": tables.to_json}
    return encoders[format_](table)


def write(content: bytes, output: str | None) -> None:
    """Write to the file, or to stdout."""
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write '{output}': {error.strerror}") from error
