"""Reads one split of a Hugging Face dataset; its features say what the columns are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from pydantic_core import from_json

from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.image_cells import is_images
from memtail_core.data.sources.table.text import nfc
from memtail_core.errors import DatasetError

_UNLABELLED = -1  # how Hugging Face marks examples without labels


@dataclass(frozen=True)
class SplitTable:
    """One split.

    Attributes:
        file: its rows; class labels are words.
        labels: the columns of class labels.
    """

    file: File
    labels: tuple[str, ...]

    @property
    def images(self) -> list[str]:
        """The columns of images."""
        return [field.name for field in self.file.table.schema if is_images(field.type)]


def read(folder: str, split: str, files: Sequence[Path]) -> SplitTable:
    """Read the files of one split.

    Raises:
        DatasetError: a file cannot be read.
    """
    tables = [_table(file) for file in files]
    try:
        table = pyarrow.concat_tables(tables, promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise DatasetError(
            f"the files of the split '{split}' in '{folder}' do not match: "
            f"{str(error).splitlines()[0]}"
        ) from error
    classes = _classes(tables[0].schema.metadata or {}, files[0].parent)
    return of_table(f"{folder.rstrip('/')}/{split}", table, classes)


def of_table(path: str, table: Any, classes: Mapping[str, Sequence[str]]) -> SplitTable:
    """The rows of an Arrow table.

    Args:
        path: what messages call it.
        table: the rows; class labels are whole numbers.
        classes: the class names of each column of class labels.

    Raises:
        DatasetError: a label has no name.
    """
    table = table.rename_columns([nfc(name) for name in table.column_names])
    labels = {
        nfc(name): names for name, names in classes.items() if nfc(name) in table.schema.names
    }
    for name, names in labels.items():
        at = table.column_names.index(name)
        table = table.set_column(at, name, _words(table[name], names, f"'{name}' of '{path}'"))
    file = File(path, table, lambda row: f"row {row} (counting from 0)", is_typed=True)
    return SplitTable(file, tuple(labels))


def _table(file: Path) -> Any:
    """The rows of a file; those of an arrow file stay on the disk until they are used."""
    try:
        if file.suffix == ".parquet":
            with pyarrow.parquet.ParquetFile(file) as parquet:
                return parquet.read()
        mapped = pyarrow.memory_map(str(file))
        try:
            return pyarrow.ipc.open_stream(mapped).read_all()
        except pyarrow.ArrowInvalid:
            return pyarrow.ipc.open_file(mapped).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise DatasetError(f"cannot read '{file}': {str(error).splitlines()[0]}") from error


def _classes(metadata: dict[bytes, bytes], folder: Path) -> dict[str, list[str]]:
    """The class names of each ClassLabel: as the file says, or dataset_info.json beside it."""
    described = _features(metadata.get(b"huggingface", b""), "info", "features")
    info = folder / "dataset_info.json"
    if not described and info.is_file():
        described = _features(info.read_bytes(), "features")
    return {
        str(name): [str(each) for each in feature["names"]]
        for name, feature in described.items()
        if isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and isinstance(feature.get("names"), list)
    }


def _features(text: bytes, *path: str) -> dict[str, Any]:
    """What stands at ``path`` in a JSON text; nothing where it is not there."""
    try:
        found: Any = from_json(text)
        for name in path:
            found = found[name]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(column: Any, names: Sequence[str], what: str) -> Any:
    """Class labels as their names; −1 is a missing label."""
    if not pyarrow.types.is_integer(column.type):
        return column
    codes = column.fill_null(_UNLABELLED).to_numpy()
    wrong = np.flatnonzero((codes < _UNLABELLED) | (codes >= len(names)))
    if len(wrong):
        raise DatasetError(
            f"{what} is {codes[wrong[0]]} in row {wrong[0]} (counting from 0), and there are "
            f"{len(names)} class names"
        )
    words = np.array([*names, None], dtype=object)  # the last stands for −1
    return pyarrow.chunked_array([pyarrow.array(words[codes], pyarrow.large_string())])
