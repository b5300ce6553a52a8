"""The commands of experiments, made from the registry: one for each experiment that has one."""

import inspect
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from cli import formatting
from cli import output as out
from cli.experiment_host import CommandLine
from cli.experiment_options import options_of
from cli.options import (
    device_option,
    estimator_option,
    json_option,
    print_json,
    store_option,
    study_argument,
    workers_option,
)
from cli.text_tables import print_table
from memtail_core.errors import EstimationError
from memtail_core.estimation.counted import COUNTED
from memtail_core.experiments.experiment import Command, Experiment
from memtail_core.experiments.registry import experiments
from memtail_core.experiments.results import Result

if TYPE_CHECKING:
    from memtail_core.drawing.section import Section

_STUDIES = click.argument("name", metavar="STUDY STUDY …", nargs=-1, required=True)
_TABLE = (
    out.format_option,
    out.output_option,
)
_PAGE = click.option(
    "--page", type=click.Path(dir_okay=False), help="Write the result as a page of its own, .html."
)
_TRAINING = (
    workers_option,
    device_option,
    click.option("--submit", is_flag=True, help="Train on the cluster and wait for it."),
    click.option("--dry-run", is_flag=True, help="Print what would be trained; do nothing."),
)


def commands() -> list[click.Command]:
    """Return the commands of all experiments, in the order of the registry."""
    return [command_of(each, each.command) for each in experiments() if each.command]


def command_of(experiment: Experiment[Any], command: Command[Any]) -> click.Command:
    """Make the command of one experiment."""

    def run(**given: Any) -> None:
        options = command.options(**{name: given[name] for name in command.options.model_fields})
        _run(experiment, command, options, given)

    run.__doc__ = inspect.getdoc(command.run)
    decorators = [
        _STUDIES if command.takes_several else study_argument,
        store_option,
        *options_of(command.options),
        *((estimator_option,) if command.takes_estimator or command.only_counts else ()),
        *(_TABLE if command.writes_table else ()),
        *((_PAGE,) if experiment.document else ()),
        *(_TRAINING if command.trains else ()),
        *((device_option,) if command.takes_device else ()),
        json_option,
    ]
    for decorator in reversed(decorators):
        run = decorator(run)
    return click.command(command.name)(run)


def _run(
    experiment: Experiment[Any], command: Command[Any], options: Any, given: dict[str, Any]
) -> None:
    names, output, as_json = given["name"], given.get("output"), given["as_json"]
    if command.takes_several and len(names) < 2:
        raise click.UsageError("name two studies or more")
    if as_json and (output or given.get("format_")):
        raise click.UsageError("--json prints all numbers; for a file leave it out")
    format_ = out.format_of(output, given.get("format_"), out.FORMATS)
    if output and format_ is None:
        raise click.UsageError(f"--output {output}: say --format csv, parquet or json")
    estimator = given.get("estimator", COUNTED)
    if command.only_counts and estimator is not COUNTED:
        raise EstimationError(
            f"{command.name} takes no --estimator {estimator.name}: {command.only_counts}"
        )
    page = given.get("page")
    if page is not None and not page.endswith(".html"):
        raise click.UsageError(f"--page {page}: name an .html file")
    host = CommandLine(
        location=given["location"],
        names=names if command.takes_several else (names,),
        workers=given.get("workers"),
        device=given.get("device", "auto"),
        is_submitted=given.get("submit", False),
        is_dry_run=given.get("dry_run", False),
        as_json=as_json,
        estimator=estimator,
    )
    failed = False
    for result in command.run(host, options):
        _finish(host, experiment, result, format_, output)
        if page is not None:
            _write_page(host, experiment, result, page)
        if (reason := command.failure(options, result)) is not None:
            click.echo(reason, err=True)
            failed = True
    host.print_plans()
    if failed:
        click.get_current_context().exit(1)


def _finish(
    host: CommandLine,
    experiment: Experiment[Any],
    result: Result,
    format_: str | None,
    output: str | None,
) -> None:
    """Keep a result, add it to the study's report, and print it: on stderr if a file is written."""
    from memtail_core.experiments.results import keep
    from memtail_core.report.publication import publish
    from memtail_core.report.stored_analysis import analyse_stored

    subject = host.subject_of(result.study)
    section = experiment.section(result, subject.dataset)
    if format_:
        out.write(out.encode(section.table, format_), output)
    keep(subject.store, subject.study, result)
    analysis = analyse_stored(subject.store, subject.study)
    page = f"{subject.store.location}/{publish(subject.store, analysis)}"
    if host.as_json:
        print_json({**result.model_dump(mode="json"), "report": page})
    else:
        _print(section, page, Console(stderr=bool(format_), highlight=False, soft_wrap=True))


def _write_page(host: CommandLine, experiment: Experiment[Any], result: Result, path: str) -> None:
    """Write a result as a page of its own."""
    from memtail_core.report.page.document import document_page

    assert experiment.document is not None
    subject = host.subject_of(result.study)
    made = document_page(experiment.document(result, subject.study, subject.dataset))
    out.write(made.encode(), path)
    click.echo(f"page: {path}", err=True)


def _print(section: "Section", page: str, console: Console) -> None:
    for number, sentence in enumerate(section.findings):
        style = "bold" if number == 0 else ""
        console.print(formatting.plain(sentence), style=style, markup=False)
    summary = section.summary
    print_table(console, summary.columns, summary.rows, texts=set(range(summary.words)))
    for note in section.notes:
        console.print(formatting.plain(note), style="dim", markup=False)
    console.print(f"report: {page}#{section.name}", markup=False)
