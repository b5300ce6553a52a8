"""Training examples whose labels are known to be wrong, and how well scores find them."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.errors import EstimationError, did_you_mean
from memtail_core.estimation.roc import auc_interval, auc_of_columns
from memtail_core.experiments.judge.result import Detection

_KEYS = ("wrong", "mislabeled", "flipped", "flips")


def wrong_labels(path: str, dataset: Dataset) -> NDArray[np.bool_]:
    """Read which training examples have wrong labels, bool [n].

    ``.npy``, or ``.npz`` with ``wrong``, ``mislabeled``, ``flipped`` or ``flips``: their indices,
    or a mask [n]. Any other file is text with a name, or an index, a line.

    Raises:
        EstimationError: the file is not readable, names no training example, none or all of them.
    """
    file, n = Path(path).expanduser(), len(dataset.y_train)
    try:
        if file.suffix in (".npy", ".npz"):
            wrong = _mask(_array(file), n, path)
        else:
            wrong = _named(file.read_text(encoding="utf-8-sig").splitlines(), dataset, path)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise EstimationError(f"cannot read the wrong labels '{path}': {reason}") from error
    if not 0 < wrong.sum() < n:
        raise EstimationError(f"'{path}' names {wrong.sum():,} of {n:,} training examples as wrong")
    return wrong


def detection(by: str, score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> Detection:
    """Say how well a score of the training examples, [n], finds the wrong labels."""
    auroc = float(auc_of_columns(score[:, None], wrong[:, None])[0])
    low, high = auc_interval(auroc, int(wrong.sum()), int((~wrong).sum()))
    return Detection(by=by, auroc=auroc, low=low, high=high)


def _array(file: Path) -> NDArray[np.generic]:
    loaded = np.load(file, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        for key in _KEYS:
            if key in loaded.files:
                return np.asarray(loaded[key])
        held = ", ".join(sorted(loaded.files)) or "nothing"
        raise EstimationError(f"'{file}' holds {held}: '{_KEYS[0]}' is needed, indices or a mask")


def _mask(array: NDArray[np.generic], n: int, path: str) -> NDArray[np.bool_]:
    if array.dtype == np.bool_ and array.shape == (n,):
        return array.astype(np.bool_)
    is_index = array.dtype.kind in "iu" and array.ndim == 1
    if not is_index or (len(array) and not 0 <= array.min() <= array.max() < n):
        raise EstimationError(
            f"'{path}' holds {array.dtype} {array.shape}: indices from 0 to {n - 1} are needed, or "
            f"a mask of {n} bool"
        )
    return np.isin(np.arange(n), array)


def _named(lines: list[str], dataset: Dataset, path: str) -> NDArray[np.bool_]:
    n = len(dataset.y_train)
    index = {dataset.train_name(i): i for i in range(n)}
    wrong = np.zeros(n, bool)
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if not name:
            continue
        if name not in index:
            near = did_you_mean(name, list(index)) if dataset.train_names else ""
            raise EstimationError(
                f"'{path}', line {number}: '{name}' is no training example"
                + (near if "did you mean" in near else "")
            )
        wrong[index[name]] = True
    return wrong
