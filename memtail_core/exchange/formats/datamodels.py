"""MadryLab's datamodels: one matrix a file, a row for each model (Ilyas et al. 2022).

    train_masks_50pct.npy      bool [M, n]           which examples each model trained on
    test_margins_50pct.npy     float16 [M, n_test]   and/or train_margins_50pct.npy [M, n]

as github.com/MadryLab/datamodels-data publishes them, and ``masks.npy``, ``margins.npy`` (of test
examples) and ``_completed.npy`` as the library github.com/MadryLab/datamodels writes them. Their
margin is the logit of the label less the highest other logit; memtail's is log p − log(1 − p), at
most log(C − 1) less. memtail adds ``train_correct…npy``, ``test_correct…npy`` and ``labels.npz``.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DatasetError
from memtail_core.exchange import array_files, labels
from memtail_core.exchange.bank import OUTCOMES, Bank
from memtail_core.exchange.format import Format, Labels
from memtail_core.exchange.stored import StoredStudy

_MASKS, _LIBRARY = "train_masks", "masks"


def _masks(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.name.startswith((_MASKS, _LIBRARY)) else []
    library = path / f"{_LIBRARY}.npy"
    return sorted(path.glob(f"{_MASKS}*.npy")) or ([library] if library.exists() else [])


def _read(path: Path, given: Labels) -> Bank:
    del given
    masks = _masks(path)
    if not masks:
        raise DatasetError(f"'{path}' has no {_MASKS}_….npy and no {_LIBRARY}.npy")
    if len(masks) > 1:
        raise DatasetError(
            f"'{path}' has the masks of several ratios: import each by itself, as '{masks[0]}'"
        )
    (file,) = masks
    folder, subset = file.parent, array_files.npy(file)
    arrays, notes = {"subset": subset}, []
    if file.name == f"{_LIBRARY}.npy":
        names = {"test_margins": "margins"}
    else:
        names = {name: name + file.stem.removeprefix(_MASKS) for name in OUTCOMES}
    for name, stem in names.items():
        if (folder / f"{stem}.npy").exists():
            arrays[name] = array_files.npy(folder / f"{stem}.npy")
    if len(arrays) == 1:
        raise DatasetError(f"'{folder}' has no {' or '.join(sorted(names.values()))} (.npy)")
    rows: NDArray[np.intp] | None = None
    if (folder / "_completed.npy").exists():
        is_complete = np.asarray(array_files.npy(folder / "_completed.npy"))
        if is_complete.shape != (len(subset),):
            raise DatasetError(
                f"_completed.npy has the shape {list(is_complete.shape)}: one value for each of "
                f"{len(subset)} models is needed"
            )
        if not is_complete.astype(bool).all():
            rows = np.flatnonzero(is_complete)
            notes.append(f"left out: {len(subset) - len(rows):,} models that are not completed")

    return Bank.of_arrays(FORMAT.name, arrays, labels.beside(folder), rows, tuple(notes))


def _write(study: StoredStudy, folder: Path) -> None:
    study.require("test_margins", FORMAT.name)
    suffix = f"_{round(100 * study.study.subset_size / study.study.dataset.n_train)}pct"
    names = {"subset": _MASKS} | {name: name for name in OUTCOMES if name in study.has}
    study.write({name: folder / f"{stem}{suffix}.npy" for name, stem in names.items()})
    labels.write(study.dataset, folder)


FORMAT = Format(
    "datamodels",
    "MadryLab's train_masks_….npy and test_margins_….npy",
    lambda path: bool(_masks(path)),
    _read,
    _write,
)
