"""The scores of an attribution: for every training and test example a number, read by blocks.

:func:`from_file` reads what any method wrote, and :mod:`.named` computes memtail's own. An array of
n × n_test is never in memory: blocks of some training examples follow each other.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.experiments.judge import zarr_arrays
from memtail_core.experiments.judge.sources import OnDisk, Source

BLOCK_BYTES = 64 * 2**20  # of scores read at once


@dataclass(frozen=True, eq=False)
class Scores:
    """An attribution of n_test test examples to n training examples.

    Attributes:
        name: what tables call it.
        blocks: yields the first row of a block and the block, [b, n_test], in order.
        trials: int64, the trials of the judged study that the scores were made from.
        trainings: how many networks were trained for them; None where nobody says.
        itself: returns the score of each training example for itself, float64 [n]; None where
            nobody says.
    """

    name: str
    blocks: Callable[[], Iterator[tuple[int, NDArray[Any]]]]
    trials: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    trainings: int | None = None
    itself: Callable[[], NDArray[np.float64]] | None = None


def from_file(path: str, dataset: Dataset, study_id: str) -> Scores:
    """Read scores from a file.

    ``.npy`` holds an array [n, n_test]. ``.npz`` and ``.zarr`` hold ``scores`` [n, n_test], or
    ``values`` and ``indices`` [n_test, k]: the k scores of each test example that are not 0, and
    whose they are. They may say more, which is then checked: ``dataset``, the digest of the data;
    ``train_names`` and ``test_names``, the order of the examples; ``study`` and ``trials``, the
    memtail study and its trials that the scores were made from. ``self_influence`` [n] is the score
    of each training example for itself.

    Raises:
        EstimationError: the file is not readable, or of other data.
    """
    file = Path(path).expanduser()
    arrays = _arrays(file)
    _check_identity(arrays, dataset, path)
    of_study = str(np.asarray(arrays["study"])) == study_id if "study" in arrays else True
    made_from = np.zeros(0, np.int64)
    if "trials" in arrays and of_study:
        made_from = np.asarray(arrays["trials"]).astype(np.int64).ravel()
    shape = len(dataset.y_train), len(dataset.y_test)
    whole: Source
    if "values" in arrays and "indices" in arrays:
        values, indices = (np.asarray(arrays[name][:]) for name in ("values", "indices"))
        whole = _spread(values, indices, shape, path)
    else:
        whole = _dense(arrays, path)
        if whole.shape != shape:
            hint = ": transpose it" if whole.shape == shape[::-1] else ""
            raise EstimationError(
                f"'{path}' has the shape {whole.shape}; {shape[0]} training × {shape[1]} test "
                f"examples are needed{hint}"
            )
    if whole.dtype.kind not in "fiu":
        raise EstimationError(f"'{path}' holds {whole.dtype}, not numbers")
    itself = _itself(arrays, shape[0], path)
    return Scores(
        file.stem,
        lambda: _checked(whole, path),
        made_from,
        itself=None if itself is None else lambda: itself,
    )


def rows_at_once(n_test: int) -> int:
    """Return how many training examples a block has."""
    return max(8, BLOCK_BYTES // (4 * n_test) // 8 * 8)  # whole bytes of packed subsets


def _arrays(file: Path) -> Mapping[str, Source]:
    if file.suffix == ".zarr":
        return zarr_arrays.opened(file)
    try:
        if file.suffix == ".npy":
            return {"scores": OnDisk(file)}
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as opened:
                return {name: opened[name] for name in opened.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise EstimationError(f"cannot read the scores '{file}': {reason}") from error
    raise EstimationError(f"'{file}' is no file of scores: .npy, .npz or .zarr is needed")


def _check_identity(arrays: Mapping[str, Source], dataset: Dataset, path: str) -> None:
    if "dataset" in arrays and str(np.asarray(arrays["dataset"])) != dataset.sha256:
        raise EstimationError(f"'{path}' is of other data: its digest is not the study's")
    for key, names in (("train_names", dataset.train_names), ("test_names", dataset.test_names)):
        if key not in arrays or not names:
            continue
        theirs = [str(name) for name in np.asarray(arrays[key]).tolist()]
        if theirs == list(names):
            continue
        if sorted(theirs) == sorted(names):
            raise EstimationError(
                f"'{path}' has the examples in another order than the study: sort by its {key}"
            )
        raise EstimationError(f"'{path}' is of other data: its {key} are not the study's")


def _itself(arrays: Mapping[str, Source], n: int, path: str) -> NDArray[np.float64] | None:
    if "self_influence" not in arrays:
        return None
    array = np.asarray(arrays["self_influence"][:])
    if array.shape != (n,) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise EstimationError(f"'{path}' needs a finite self_influence for each of {n} examples")
    return array.astype(np.float64)


def _dense(arrays: Mapping[str, Source], path: str) -> Source:
    matrices = {name: array for name, array in arrays.items() if array.ndim == 2}
    if "scores" in arrays:
        return arrays["scores"]
    if len(matrices) != 1:
        raise EstimationError(
            f"'{path}' holds {', '.join(sorted(arrays)) or 'nothing'}: 'scores', or 'values' and "
            "'indices', are needed"
        )
    return next(iter(matrices.values()))


def _spread(
    values: NDArray[Any], indices: NDArray[Any], shape: tuple[int, int], path: str
) -> NDArray[Any]:
    """Return the scores [n, n_test] of k training examples for each test example, 0 elsewhere."""
    n, n_test = shape
    if values.shape != indices.shape or values.ndim != 2 or len(values) != n_test:
        raise EstimationError(
            f"'{path}' has values {values.shape} and indices {indices.shape}: both have the shape "
            f"[{n_test} test examples, k]"
        )
    if indices.dtype.kind not in "iu" or (
        indices.size and not 0 <= indices.min() <= indices.max() < n
    ):
        raise EstimationError(f"'{path}' has indices that are no training examples, 0 to {n - 1}")
    spread = np.zeros(shape, np.float32)
    columns = np.broadcast_to(np.arange(n_test)[:, None], indices.shape)
    np.add.at(spread, (indices, columns), values)
    return spread


def _checked(whole: Source, path: str) -> Iterator[tuple[int, NDArray[Any]]]:
    step = rows_at_once(whole.shape[1])
    for start in range(0, whole.shape[0], step):
        block = np.asarray(whole[start : start + step])
        if not np.isfinite(block).all():
            i, z = np.argwhere(~np.isfinite(block))[0]
            raise EstimationError(
                f"'{path}' has {block[i, z]} for training example {start + i} and test example {z}"
            )
        yield start, block
