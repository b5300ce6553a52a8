"""``memtail fetch``: copy the published report to a folder."""

from pathlib import Path

import click

from cli.options import find_study, json_option, print_json, store_option, study_argument
from memtail_core.errors import StoreError


@click.command()
@study_argument
@store_option
@click.option(
    "--output", "-o", type=click.Path(), help="Write to this folder. [default: the id of STUDY]"
)
@json_option
def fetch(name: str, location: str, output: str | None, as_json: bool) -> None:
    """Copy the report of STUDY here and verify every file."""

    from cli.findings import say_findings
    from memtail_core import catalogue
    from memtail_core.catalogue import reports

    store, study = find_study(location, name)
    if study.is_experiment:
        raise StoreError(
            f"{study.id} has no report: it belongs to an experiment; fetch the report of its study"
        )
    files = reports.fetch(store, study)
    if files is None or "summary.json" not in files:
        raise StoreError(
            f"{study.id} has no report yet, or it is being published: try again, or make one with "
            f"memtail report {study.id}"
        )
    folder = Path(output or study.id)
    for name_, content in files.items():
        path = folder / name_
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    summary = reports.summary(files["summary.json"], study)
    page = str(folder / reports.PAGE)
    if as_json:
        print_json({**summary, "report": page})
        return
    say_findings(summary, page)
    goal = catalogue.goal(store, study)
    if summary["trials"] < goal:
        click.echo(f"provisional: it has {summary['trials']:,} of {goal:,} models")
