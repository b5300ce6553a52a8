"""``memtail scores``: every training example's scores as CSV, Parquet or npz."""

import sys
from pathlib import Path

import click

from cli.options import find_study, store_option, study_argument
from memtail_core.errors import StoreError

_FORMATS = ("csv", "parquet", "npz", "json")


@click.command()
@study_argument
@store_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    help="npz: as the authors' published files. [default: the ending of --output, or csv]",
)
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="A file. [default: stdout]")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def scores(
    name: str, location: str, format_: str | None, output: str | None, as_json: bool
) -> None:
    """Write the scores of every training example of STUDY, one row each.

    Memorization, its standard error and 95% interval, how many models were trained with and
    without the example, and how often each kind got it right.
    """
    from memtail_core.report import analyse_stored, tables

    ending = Path(output or "").suffix.removeprefix(".").lower()
    format_ = "json" if as_json else format_ or (ending if ending in _FORMATS else "csv")
    if format_ in ("parquet", "npz") and output is None and sys.stdout.isatty():
        raise click.UsageError(f"{format_} is binary: give --output FILE, or redirect it")
    analysis = analyse_stored(*find_study(location, name))
    if format_ == "npz":
        content = tables.to_npz(analysis)
    else:
        encoders = {"csv": tables.to_csv, "parquet": tables.to_parquet, "json": tables.to_json}
        content = encoders[format_](tables.scores_table(analysis))
    for warning in analysis.warnings:
        click.echo(f"warning: {warning}", err=True)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write '{output}': {error.strerror}") from error
