"""``memtail subgroups``: mislabeled, rare but useful, duplicated: the list to act on."""

import click

from cli import output as out
from cli.experiment import finish, finished
from cli.options import Threshold, json_option, store_option, study_argument
from memtail_core.estimation.thresholds import THETA_INFL


@click.command()
@study_argument
@store_option
@click.option(
    "--min-influence",
    "theta",
    type=Threshold(),
    default=THETA_INFL,
    show_default=True,
    help="Count pairs with at least this influence.",
)
@click.option(
    "--doubted",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Doubt labels that are wrong with at least this probability.",
)
@out.format_option
@out.output_option
@json_option
def subgroups(
    name: str,
    location: str,
    theta: float,
    doubted: float,
    format_: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Find training examples to keep, to relabel or to drop.

    Each example is typical, atypical-useful, likely-mislabeled or duplicate. --output groups.csv
    lists those that are not typical, one per row with the evidence, for a relabeling tool.
    """
    from rich.console import Console

    from memtail_core.data import near_duplicates
    from memtail_core.estimation.influence import PairsRule
    from memtail_core.experiments.subgroups.plan import subgroups as told_apart
    from memtail_core.experiments.subgroups.result import found
    from memtail_core.experiments.subgroups.section import members_table

    if as_json and (output or format_):
        raise click.UsageError("--json prints all that was found; for a file leave it out")
    format_ = out.format_of(output, format_, out.FORMATS)
    if output and format_ is None:
        raise click.UsageError(f"--output {output}: say --format csv, parquet or json")
    store, study, material = finished(location, name, margins=True)
    rule = PairsRule(theta_infl=theta, fdr=0.05)
    with Console(stderr=True).status("looking for near-duplicates"):
        in_train = near_duplicates.within_training_set(material.dataset)
        in_test = near_duplicates.in_test_set(material.dataset)
    of = told_apart(material.trials, material.dataset, in_train, in_test, rule, doubted)
    result = found(study, len(material.trials), of, rule, doubted)
    if format_:
        out.write(out.encode(members_table(result, material.dataset), format_), output)
    finish(store, study, result, as_json, err=bool(format_))
