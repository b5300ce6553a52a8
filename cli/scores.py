"""``memtail scores``: every training example's scores as CSV, Parquet or npz."""

from typing import TYPE_CHECKING

import click

from cli import output as out
from cli.options import (
    device_option,
    estimator_named,
    estimator_option,
    find_study,
    measure_option,
    store_option,
    study_argument,
)
from memtail_core import catalogue

if TYPE_CHECKING:
    from memtail_core.catalogue.published_results import Published
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
@measure_option
@click.option(
    "--calibrated",
    "is_calibrated",
    is_flag=True,
    help="Add calibrated estimates, as --estimator calibrated does.",
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    help="With --calibrated, record this many of the models again.",
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
def scores(
    name: str,
    location: str,
    format_: str | None,
    output: str | None,
    estimator: "Estimator",
    measure: str | None,
    is_calibrated: bool,
    runs: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Write the scores of all training examples as a table.

    Memorization, its standard error and 95% interval, how many models were trained with and
    without the example, and how often each kind got it right. All of these are counted.

    With --measure probability or margin, memorization is the difference of the mean probability or
    margin of the label, and so are its error and interval; probability_in and probability_out hold
    the means. The default is correctness; for language models it is the accuracy of next tokens,
    or their likelihood where the study keeps that.

    Of a large study with a report of all its models, the scores are those of the report.

    With another --estimator three more columns hold its estimate and its 95% interval: calibrated,
    calibrated_low and calibrated_high. The calibrated estimator learns from the models what
    counting does not show. With few models it is much closer to the truth, and it is never missing.
    With --runs it also learns from how the first models learned: these are trained again while
    being recorded (once: they are stored). As many runs as models make its error a tenth smaller.
    """
    from memtail_core.estimation.counted import COUNTED

    format_ = out.format_of(output, "json" if as_json else format_, _FORMATS) or "csv"
    chosen = estimator_named("calibrated") if is_calibrated else estimator
    if runs is not None and chosen.name != "calibrated":
        raise click.UsageError("--runs goes with --calibrated: counting reads no recorded models")
    if device != "auto" and runs is None:
        raise click.UsageError("--device goes with --runs: nothing else is computed on a GPU")
    if chosen is not COUNTED and format_ == "npz":
        raise click.UsageError(f"npz has no place for --{chosen.name}: choose csv, parquet or json")
    store, study = find_study(location, name)
    if (
        chosen is COUNTED
        and measure in (None, "correctness")
        and (report := catalogue.published(store, study))
        and (published := _published(report, format_)) is not None
    ):
        for warning in report.summary["warnings"]:
            click.echo(f"Warning: {warning}", err=True)
        out.write(published, output)
        return
    from cli.recorded_runs import with_signals
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.analysis.measuring import estimator_of
    from memtail_core.errors import EstimationError
    from memtail_core.estimation.estimator import UNKNOWN
    from memtail_core.estimation.measures import CORRECTNESS
    from memtail_core.report import tables
    from memtail_core.report.stored_analysis import analyse_stored

    analysis = analyse_stored(store, study, estimator=estimator_of(study, measure))
    if chosen is not COUNTED and analysis.measure is not CORRECTNESS:
        raise EstimationError(
            f"--estimator {chosen.name} estimates correctness: it cannot stand beside the "
            f"{analysis.measure.name}"
        )
    if analysis.trials.train_correct is None:
        raise EstimationError(UNKNOWN)
    if format_ == "npz":
        content = tables.to_npz(analysis)
    else:
        table = tables.scores_table(analysis)
        if chosen is not COUNTED:
            material = LoadedStudy.load(store, study, estimator=chosen)
            if runs is not None:
                material = with_signals(material, store, runs, device)
            table = tables.with_estimates(table, chosen.name, material.scores)
        content = out.encode(table, format_)
    for warning in analysis.warnings:
        click.echo(f"Warning: {warning}", err=True)
    out.write(content, output)


def _published(report: "Published", format_: str) -> bytes | None:
    """What the report says, in this format; None if it cannot be read now."""
    from memtail_core.report.table_files import from_parquet

    if format_ in ("npz", "parquet"):
        return report.file("memorization.npz" if format_ == "npz" else "scores.parquet")
    content = report.file("scores.parquet")
    if content is None:
        return None
    return out.encode(from_parquet(content), format_)
