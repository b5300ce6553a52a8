"""``memtail scores``: every training example's scores as CSV, Parquet or npz."""

from typing import TYPE_CHECKING

import click

from cli import output as out
from cli.options import estimator_option, find_study, store_option, study_argument

if TYPE_CHECKING:
    from memtail_core.estimation.estimator import Estimator

_FORMATS = (*out.FORMATS, "npz")


@click.command()
@study_argument
@store_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    help="Write this format; npz as the paper's authors. [default: by file name, or csv]",
)
@out.output_option
@estimator_option
@click.option(
    "--calibrated",
    "is_calibrated",
    is_flag=True,
    help="Add calibrated estimates, as --estimator calibrated does.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
def scores(
    name: str,
    location: str,
    format_: str | None,
    output: str | None,
    estimator: "Estimator",
    is_calibrated: bool,
    as_json: bool,
) -> None:
    """Write the scores of all training examples as a table.

    Memorization, its standard error and 95% interval, how many models were trained with and
    without the example, and how often each kind got it right. All of these are counted.

    With another --estimator three more columns hold its estimate and its 95% interval: calibrated,
    calibrated_low and calibrated_high. The calibrated estimator learns from the models what
    counting does not show. With few models it is much closer to the truth, and it is never missing.
    """
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.errors import EstimationError
    from memtail_core.estimation.calibrated import CALIBRATED
    from memtail_core.estimation.counted import COUNTED
    from memtail_core.estimation.estimator import UNKNOWN
    from memtail_core.report import analyse_stored, tables

    format_ = out.format_of(output, "json" if as_json else format_, _FORMATS) or "csv"
    chosen = CALIBRATED if is_calibrated else estimator
    if chosen is not COUNTED and format_ == "npz":
        raise click.UsageError(f"npz has no place for --{chosen.name}: choose csv, parquet or json")
    store, study = find_study(location, name)
    analysis = analyse_stored(store, study)
    if analysis.trials.train_correct is None:
        raise EstimationError(UNKNOWN)
    if format_ == "npz":
        content = tables.to_npz(analysis)
    else:
        table = tables.scores_table(analysis)
        if chosen is not COUNTED:
            estimates = LoadedStudy.load(store, study, estimator=chosen).scores
            table = tables.with_estimates(table, chosen.name, estimates)
        content = out.encode(table, format_)
    for warning in analysis.warnings:
        click.echo(f"Warning: {warning}", err=True)
    out.write(content, output)
