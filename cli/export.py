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
    help="Write this format: one of those below.",
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
    """Write STUDY for another project: models, or a list of examples.

    datamodels, dattri, lira, privacy-meter and npz hold all stored models: which examples each
    trained on, what it got right, and its margins. Arrays are written shard by shard, so they may
    be larger than memory.

    cleanlab, fiftyone, label-studio, huggingface and csv hold the training examples with what the
    models say of each: memorization, how likely its label is wrong, its neighbours and, where
    [study] probabilities = true, the predicted class. cleanlab needs these probabilities.
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
    what = f"{len(stored):,} models"
    if chosen.lists_examples:
        what = f"{study.dataset.n_train:,} examples by {what}"
    click.echo(f"{what} of {study.id}: {_files(files)} in {folder}")
    if chosen.lists_examples and not study.probabilities:
        click.echo(
            "without predicted classes: the study keeps no probabilities (--set "
            "study.probabilities=true)",
            err=True,
        )


def _files(files: list[str]) -> str:
    return ", ".join(files) if len(files) <= 8 else f"{len(files):,} files"
