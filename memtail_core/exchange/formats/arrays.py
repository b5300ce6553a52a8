"""Plain arrays in one .npz file, with everything that memtail knows of trials and examples.

subset                        bool [T, n]             which examples each model trained on
train_correct, train_margins  bool, float [T, n]      one or both of them
test_correct, test_margins    bool, float [T, n_test]
y_train, y_test               labels
classes, train_names, test_names, features, x_train, x_test, modality: where they are known
"""

import zipfile
from pathlib import Path

import numpy as np

from memtail_core.errors import DatasetError
from memtail_core.exchange import array_files, labels
from memtail_core.exchange.bank import OUTCOMES, Bank
from memtail_core.exchange.format import Format, Labels
from memtail_core.exchange.stored import StoredStudy

_NAME = "trials.npz"


def _file(path: Path) -> Path:
    return path / _NAME if path.is_dir() else path


def _read(path: Path, given: Labels) -> Bank:
    del given
    file = _file(path)
    arrays = array_files.npz(file)
    trials = {name: arrays[name] for name in ("subset", *OUTCOMES) if name in arrays}
    if "subset" not in trials or len(trials) == 1:
        raise DatasetError(
            f"'{file}' holds {', '.join(sorted(arrays)) or 'nothing'}: 'subset' and one of "
            f"{', '.join(OUTCOMES)} are needed"
        )
    data = labels.of_arrays(arrays, file) if "y_train" in arrays else None
    return Bank.of_arrays(FORMAT.name, trials, data)


def _write(study: StoredStudy, folder: Path) -> None:
    dataset = study.dataset
    known = labels.arrays_of(dataset)
    known["features"] = np.array(dataset.features, np.str_)
    known["modality"] = np.array(dataset.modality.name)
    with zipfile.ZipFile(folder / _NAME, "w") as archive:
        for name, array in known.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
        if dataset.train.example_bytes:
            for name, examples in (("x_train", dataset.train), ("x_test", dataset.test)):
                array_files.write_rows(archive, name, examples)
        for name in ("subset", *OUTCOMES):
            if name not in study.has:
                continue
            width = len(dataset.y_test if name.startswith("test") else dataset.y_train)
            dtype = np.dtype(np.float16 if name.endswith("margins") else np.bool_)
            with array_files.member(archive, name, dtype, (len(study), width)) as file:
                for _, (block,) in study.blocks(name):
                    file.write(np.ascontiguousarray(block).data)


FORMAT = Format(
    "npz",
    f"plain arrays in one file, {_NAME}",
    lambda path: _file(path).suffix == ".npz" and _file(path).is_file(),
    _read,
    _write,
    lambda study: len(study.has),
)
