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
@click.option(
    "--calibrated",
    "is_calibrated",
    is_flag=True,
    help="Also estimates for few models: columns calibrated, calibrated_low, calibrated_high.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def scores(
    name: str,
    location: str,
    format_: str | None,
    output: str | None,
    is_calibrated: bool,
    as_json: bool,
) -> None:
    """Write the scores of every training example of STUDY, one row each.

    Memorization, its standard error and 95% interval, how many models were trained with and
    without the example, and how often each kind got it right. With --calibrated also an estimate
    that learns from the models what counting them does not show, with its 95% interval: with few
    models much nearer, and never missing.
    """
    from memtail_core.analysis.calibrated_scores import calibrate_stored
    from memtail_core.report import analyse_stored, tables

    format_ = out.format_of(output, "json" if as_json else format_, _FORMATS) or "csv"
    if is_calibrated and format_ == "npz":
        raise click.UsageError("npz has no place for --calibrated: choose csv, parquet or json")
    store, study = find_study(location, name)
    analysis = analyse_stored(store, study)
    if format_ == "npz":
        content = tables.to_npz(analysis)
    else:
        table = tables.scores_table(analysis)
        if is_calibrated:
            table = tables.with_calibrated(table, calibrate_stored(store, study))
        content = out.encode(table, format_)
    for warning in analysis.warnings:
        click.echo(f"Warning: {warning}", err=True)
    out.write(content, output)
