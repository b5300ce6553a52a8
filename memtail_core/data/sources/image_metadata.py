"""A folder of images whose classes stand in ``metadata.csv`` or ``metadata.jsonl`` beside them."""

from collections.abc import Collection
from pathlib import Path

import pyarrow
import pyarrow.json

from memtail_core.data.image_files.labelled import Undecoded
from memtail_core.data.image_files.set_folders import TEST, TRAIN, VALIDATION
from memtail_core.data.sources.table import csv_file
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.images import ImageColumn, load_images
from memtail_core.data.sources.table.options import Options
from memtail_core.data.sources.table.text import nfc
from memtail_core.errors import DatasetError

IMAGES = "file_name"  # the column of paths, as Hugging Face's ImageFolder calls it
_FILES = ("metadata.csv", "metadata.jsonl")


def load_described(root: Path, label: str, images: ImageColumn, options: Options) -> Undecoded:
    """Read the images that a folder's metadata file names, with the labels that it gives them.

    ``train/`` and ``test/`` (or ``val/``) may each have a metadata file; else the folder has one.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the metadata or the images.
    """
    images.check(options)
    train, test, validation = (_in_set(root, names) for names in (TRAIN, TEST, VALIDATION))
    train, test = (train, test or validation) if train else (_in(root), None)
    if train is None:
        raise DatasetError(
            f"'{root}' has no {' or '.join(_FILES)}, which gives the images their {label}; "
            "without label, folders are the classes"
        )

    def read(path: str, faults: Faults) -> File:
        if path.endswith(".csv"):
            return csv_file.read(path, nfc(label), None, None, faults)
        return _json_lines(path)

    return load_images(read, str(train), label, str(test) if test else None, images, options)


def hint(root: Path) -> str:
    """What to do about a folder without classes that has metadata."""
    file = _in(root)
    return f"; set [dataset] label to the column of {file.name} with the classes" if file else ""


def _in_set(root: Path, names: Collection[str]) -> Path | None:
    """The metadata of the set whose folder has one of ``names``."""
    folders = (each for each in sorted(root.iterdir()) if each.name.lower() in names)
    return next(filter(None, map(_in, folders)), None)


def _in(folder: Path) -> Path | None:
    return next((folder / name for name in _FILES if (folder / name).is_file()), None)


def _json_lines(path: str) -> File:
    try:
        table = pyarrow.json.read_json(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DatasetError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    table = table.rename_columns([nfc(name) for name in table.column_names])
    return File(path, table, lambda row: f"line {row + 1}", is_typed=True)
