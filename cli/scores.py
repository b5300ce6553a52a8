"""``memtail scores``: every training example's scores as CSV, Parquet or npz."""

import click

from cli import output as out
from cli.options import find_study, store_option, study_argument

_FORMATS = (*out.FORMATS, "npz")


@click.command()
@study_argument
@store_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    help="npz: as the authors' published files. [default: the ending of --output, or csv]",
)
@out.output_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def scores(
    name: str, location: str, format_: str | None, output: str | None, as_json: bool
) -> None:
    """Write the scores of every training example of STUDY, one row each.

    Memorization, its standard error and 95% interval, how many models were trained with and
    without the example, and how often each kind got it right.
    """
    from memtail_core.report import analyse_stored, tables

    format_ = out.format_of(output, "json" if as_json else format_, _FORMATS) or "csv"
    analysis = analyse_stored(*find_study(location, name))
    if format_ == "npz":
        content = tables.to_npz(analysis)
    else:
        content = out.encode(tables.scores_table(analysis), format_)
    for warning in analysis.warnings:
        click.echo(f"warning: {warning}", err=True)
    out.write(content, output)
