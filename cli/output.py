"""Writing a table to stdout or to a file, as CSV, Parquet or JSON."""

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
    "--output", "-o", type=click.Path(dir_okay=False), help="Write to this file. [default: stdout]"
)
format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Write the file in this format. [default: by file name]",
)


def format_of(output: str | None, asked: str | None, allowed: tuple[str, ...]) -> str | None:
    """Return the requested format, or that of the file name, or None."""
    ending = Path(output or "").suffix.removeprefix(".").lower()
    chosen = asked or (ending if ending in allowed else None)
    if chosen in _BINARY and output is None and sys.stdout.isatty():
        raise click.UsageError(f"{chosen} is binary: give --output FILE, or redirect the output")
    return chosen


def encode(table: "pa.Table", format_: str) -> bytes:
    """Encode a table in one of FORMATS."""
    from memtail_core.report import table_files
    from memtail_core.report.spreadsheet import harmless

    if format_ == "csv":
        table, n = harmless(table)
        if n:
            click.echo(
                f"{n:,} texts that a spreadsheet would run as formulas begin with ' in the CSV; "
                "Parquet keeps them exact",
                err=True,
            )
    encoders = {
        "csv": table_files.exact_csv,
        "parquet": table_files.to_parquet,
        "json": table_files.to_json,
    }
    return encoders[format_](table)


def write(content: bytes, output: str | None) -> None:
    """Write the content to a file, or to stdout."""
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write '{output}': {error.strerror}") from error
