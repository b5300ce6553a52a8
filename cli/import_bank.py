"""``memtail import``: make a study of trials that someone else trained."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from cli.options import json_option, print_json, store_option
from cli.progress import progress_bar

if TYPE_CHECKING:
    from memtail_core.study import DatasetTable


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    help="Read datamodels, lira, privacy-meter or npz. [default: what it looks like]",
)
@click.option(
    "--labels",
    "labels_file",
    type=click.Path(path_type=Path),
    help="Take labels from this .npz (y_train, y_test) or .npy file.",
)
@click.option(
    "--data",
    "source",
    metavar="SOURCE",
    help="Take examples from a source, as torchvision:CIFAR10, or a study file.",
)
@click.option("--name", help="Name the study. [default: the name of PATH]")
@json_option
def import_bank(
    path: Path,
    location: str,
    format_: str | None,
    labels_file: Path | None,
    source: str | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Make a study of models that someone else trained.

    PATH holds which examples each model trained on and what came of it, in the format of MadryLab's
    datamodels, of LiRA, of Privacy Meter, or as plain arrays. The study has no recipe, so it cannot
    grow; everything that reads a study reads it too. Labels have to come with the models, from
    --labels, or with the examples themselves from --data.
    """
    from memtail_core import data
    from memtail_core.errors import DatasetError
    from memtail_core.exchange import labels, registry
    from memtail_core.exchange.importing import import_bank as store_bank
    from memtail_core.store import open_store
    from memtail_core.study import StudyTable, name_of
    from memtail_core.study.validation import validated

    if labels_file and source:
        raise click.UsageError("--data brings labels: leave out --labels")
    called = validated(
        StudyTable, {"name": name or name_of(str(path.absolute())) or "imported"}, "--name"
    ).name
    store, path = open_store(location), path.expanduser()
    chosen = registry.named(format_, registry.READ) if format_ else registry.recognised(path)
    assert chosen.read is not None
    table = _table(source) if source else None
    dataset = data.load(table) if table else None
    splits = labels.read(labels_file.expanduser()) if labels_file else None
    known = dataset.y_train if dataset else splits.y_train if splits else None
    bank = chosen.read(path, known)
    if dataset is None:
        splits = splits or bank.data
        if splits is None:
            raise DatasetError(
                f"nothing in '{path}' says what the labels are: give --labels labels.npz "
                "(y_train, y_test), or --data SOURCE for the examples too"
            )
        dataset = labels.dataset_of(splits, bank.n, bank.n_test)
    elif not bank.n_test:
        dataset = labels.without_test(dataset)
    with progress_bar("importing", 2 * bank.trials, "models") as advance:
        origin = table.source if table else f"{bank.origin}:{path.name}"
        study = store_bank(store, bank, dataset, called, origin, advance)
    if as_json:
        print_json(
            {
                "study": study.id,
                "format": bank.origin,
                "models": bank.trials,
                "train": bank.n if bank.has_train else 0,
                "test": bank.n_test,
                "subset_size": study.subset_size,
                "notes": list(bank.notes),
            }
        )
        return
    say = Console(highlight=False, soft_wrap=True).print
    say(f"[bold]{study.id}[/]")
    say(f"  models    {bank.trials:,}, each on about {study.subset_size:,} of {bank.n:,} examples")
    say(f"  outcomes  {_outcomes(bank.n if bank.has_train else 0, bank.n_test)}")
    for note in bank.notes:
        say(f"  read      {note}", markup=False)
    for command, what in (("report", "write its report"), ("judge", "judge attributions by it")):
        say(f"  memtail {command:6} {study.id}   {what}")


def _table(source: str) -> "DatasetTable":
    """Return what to read: a source, or the ``[dataset]`` of a study file."""
    from memtail_core.study import DatasetTable, Spec

    is_file = source.endswith(".toml")
    return Spec.load(source).dataset if is_file else DatasetTable(source=source)


def _outcomes(n: int, n_test: int) -> str:
    parts = [f"of {count:,} {of} examples" for count, of in ((n, "training"), (n_test, "test"))]
    return " and ".join(part for part, count in zip(parts, (n, n_test), strict=True) if count)
