"""``memtail relabel``: take corrected labels back, and make the next study."""

from dataclasses import asdict
from pathlib import Path

import click

from cli import formatting
from cli.options import find_study, json_option, print_json, store_option, study_argument

_MOST_SHOWN = 20  # changes


@click.command()
@study_argument
@click.argument("file", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--output",
    "-o",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Write into this folder, which must be new or empty.",
)
@json_option
def relabel(name: str, file: Path, location: str, folder: Path, as_json: bool) -> None:
    """Make the next study of STUDY from the corrected labels in FILE.

    FILE is a CSV with the columns label and index or name, as memtail export --to csv writes it, or
    the JSON that Label Studio exports. The folder then holds data.npz, study.toml and changes.csv;
    memtail run FOLDER/study.toml trains the same models on the corrected data.
    """
    from memtail_core import catalogue
    from memtail_core.exchange import corrections, relabeling

    store, study = find_study(location, name)
    dataset = catalogue.load_dataset(store, study)
    relabeling.check(study, dataset)
    changes = corrections.read(file.expanduser(), dataset)
    folder = folder.expanduser()
    trials = max(1, catalogue.goal(store, study))
    relabeling.write(study, dataset, trials, changes, folder)
    if as_json:
        changed = [asdict(change) for change in changes]
        print_json({"study": study.id, "folder": str(folder), "changes": changed})
        return
    for change in changes[:_MOST_SHOWN]:
        shown = f"{change.index}" if change.name == str(change.index) else change.name
        click.echo(formatting.plain(f"{shown}: {change.before} → {change.after}"))
    if len(changes) > _MOST_SHOWN:
        click.echo(f"… and {len(changes) - _MOST_SHOWN:,} more, all in {folder}/changes.csv")
    click.echo(
        f"{len(changes):,} of {len(dataset.y_train):,} labels changed; next: memtail run "
        f"{folder}/study.toml"
    )
