"""Training examples that a user names in a file: candidates, wrong labels."""

import csv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from memtail_core.data.dataset import Dataset
from memtail_core.errors import DatasetError, did_you_mean

_INDEX_COLUMNS = ("index", "train_index")


def chosen_examples(path: str, dataset: Dataset, keys: Sequence[str]) -> NDArray[np.bool_]:
    """Read which training examples a file names, bool [n].

    ``.npy`` holds their indices, or a mask [n]; ``.npz`` the same under one of ``keys``. ``.csv``
    and ``.parquet`` are tables with a column ``index`` or ``train_index``, as memtail writes them.
    Any other file, and a CSV without such a column, is text with a name, or an index, a line.

    Raises:
        DatasetError: the file is not readable, or what it names is no training example.
    """
    file, n = Path(path).expanduser(), len(dataset.y_train)
    try:
        if file.suffix in (".npy", ".npz"):
            return _mask(_array(file, keys), n, path)
        if (column := _index_column(file)) is not None:
            return _mask(column, n, path)
        return _named(file.read_text(encoding="utf-8-sig").splitlines(), dataset, path)
    except (OSError, ValueError, csv.Error, zipfile.BadZipFile, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DatasetError(f"cannot read '{path}': {reason}") from error


def _array(file: Path, keys: Sequence[str]) -> NDArray[np.generic]:
    loaded = np.load(file, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        for key in keys:
            if key in loaded.files:
                return np.asarray(loaded[key])
        held = ", ".join(sorted(loaded.files)) or "nothing"
        raise DatasetError(f"'{file}' holds {held}: '{keys[0]}' is needed, indices or a mask")


def _index_column(file: Path) -> NDArray[np.generic] | None:
    """The column of indices of a table; None if the file is none, or a CSV without one."""
    if file.suffix == ".parquet":
        table = pyarrow.parquet.read_table(file)
    elif file.suffix == ".csv":
        with file.open(encoding="utf-8-sig", newline="") as text:
            header = next(csv.reader(text), [])
        if not set(header) & set(_INDEX_COLUMNS):
            return None
        table = pyarrow.csv.read_csv(file)
    else:
        return None
    for name in _INDEX_COLUMNS:
        if name in table.column_names:
            return np.asarray(table[name].to_numpy())
    columns = ", ".join(table.column_names) or "none"
    raise DatasetError(f"'{file}' has no column '{_INDEX_COLUMNS[0]}' (columns: {columns})")


def _mask(array: NDArray[np.generic], n: int, path: str) -> NDArray[np.bool_]:
    if array.dtype == np.bool_ and array.shape == (n,):
        return array.astype(np.bool_)
    is_index = array.dtype.kind in "iu" and array.ndim == 1
    if not is_index or (len(array) and not 0 <= array.min() <= array.max() < n):
        raise DatasetError(
            f"'{path}' holds {array.dtype} {array.shape}: indices from 0 to {n - 1} are needed, or "
            f"a mask of {n} bool"
        )
    return np.isin(np.arange(n), array)


def _named(lines: list[str], dataset: Dataset, path: str) -> NDArray[np.bool_]:
    n = len(dataset.y_train)
    index = {dataset.train_name(i): i for i in range(n)}
    chosen = np.zeros(n, bool)
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if not name:
            continue
        if name not in index:
            near = did_you_mean(name, list(index)) if dataset.train_names else ""
            raise DatasetError(
                f"'{path}', line {number}: '{name}' is no training example"
                + (near if "did you mean" in near else "")
            )
        chosen[index[name]] = True
    return chosen
