"""``memtail export``: write a study in the format of another project."""

from dataclasses import replace
from pathlib import Path

import click

from cli.options import find_study, json_option, print_json, store_option, study_argument
from cli.progress import progress_bar


@click.command()
@study_argument
@store_option
@click.option(
    "--to",
    "to",
    required=True,
    metavar="FORMAT",
    help="Write datamodels, dattri, lira, privacy-meter or npz.",
)
@click.option(
    "--output",
    "-o",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Write into this folder, which must be new or empty.",
)
@json_option
def export(name: str, location: str, to: str, folder: Path, as_json: bool) -> None:
    """Write the models' outcomes of STUDY for another project.

    All stored models are written: which examples each trained on, what it got right, and its
    margins. Arrays are written shard by shard, so they may be larger than memory.
    """
    from memtail_core.exchange import registry
    from memtail_core.exchange.exporting import export as write
    from memtail_core.exchange.stored import StoredStudy

    chosen = registry.named(to, registry.WRITTEN)
    store, study = find_study(location, name)
    folder = folder.expanduser()
    stored = StoredStudy(store, study)
    total = len(stored) * chosen.passes(stored)
    with progress_bar("exporting", total, "models") as advance:
        files = write(replace(stored, advance=advance), chosen, folder)
    if as_json:
        written = [f"{folder}/{file}" for file in files]
        print_json({"study": study.id, "format": to, "models": len(stored), "files": written})
        return
    click.echo(f"{len(stored):,} models of {study.id}: {_files(files)} in {folder}")


def _files(files: list[str]) -> str:
    return ", ".join(files) if len(files) <= 8 else f"{len(files):,} files"
