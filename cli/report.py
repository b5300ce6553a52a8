"""``memtail report``: estimate from the stored trials and write the report."""

from typing import TYPE_CHECKING

import click

from cli.options import (
    Threshold,
    any_class_option,
    estimator_option,
    fdr_option,
    find_study,
    json_option,
    measure_option,
    print_json,
    store_option,
    study_argument,
)
from memtail_core.estimation.thresholds import THETA_INFL, THETA_MEM

if TYPE_CHECKING:
    from memtail_core.estimation.estimator import Estimator


@click.command()
@study_argument
@store_option
@click.option(
    "--theta-mem",
    type=Threshold(),
    default=THETA_MEM,
    show_default=True,
    help="Count examples as memorized from here on.",
)
@click.option(
    "--theta-infl",
    type=Threshold(),
    default=THETA_INFL,
    show_default=True,
    help="List pairs with at least this influence.",
)
@estimator_option
@measure_option
@any_class_option
@fdr_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "markdown")),
    default="text",
    show_default=True,
    help="Print the summary as text, or in GitHub's Markdown.",
)
@json_option
def report(
    name: str,
    location: str,
    theta_mem: float,
    theta_infl: float,
    estimator: "Estimator",
    measure: str | None,
    any_class: bool,
    fdr: float | None,
    format_: str,
    as_json: bool,
) -> None:
    """Write the report of STUDY from the models stored so far.

    The report of an unfinished study is provisional. With --measure probability, memorization and
    influence are differences of mean probabilities instead of accuracies. With --format markdown
    the summary can be appended to "$GITHUB_STEP_SUMMARY", or posted on a pull request.
    """
    from cli.findings import say_findings
    from memtail_core.analysis.measuring import estimator_of
    from memtail_core.estimation.influence import PairsRule
    from memtail_core.report.publication import publish
    from memtail_core.report.stored_analysis import analyse_stored

    store, study = find_study(location, name)
    rule = PairsRule(theta_mem, theta_infl, same_class=not any_class, fdr=fdr)
    analysis = analyse_stored(store, study, rule, estimator_of(study, measure, estimator))
    page = f"{store.location}/{publish(store, analysis)}"
    if format_ == "markdown" and not as_json:
        from memtail_core.experiments.registry import sections
        from memtail_core.report.markdown import markdown

        found = list(sections(store, study, analysis.dataset))
        click.echo(markdown(analysis, found), nl=False)
    elif as_json:
        print_json({**analysis.summary(), "report": page})
    else:
        say_findings(analysis.summary(), page)
