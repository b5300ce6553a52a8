"""``npz:arrays.npz``: the arrays x_train and y_train, and whatever else Splits has a name for."""

import os
import zipfile
from pathlib import Path

import numpy as np

from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError


def load(path: str, /) -> Splits:
    """Read the arrays of an npz file; nothing in it is unpickled."""
    file = Path(os.path.expanduser(path))
    try:
        with file.open("rb") as opened:
            is_one_array = opened.read(6) == b"\x93NUMPY"
        if is_one_array:
            raise DatasetError(f"'{path}' is one array: save several with np.savez")
        if not zipfile.is_zipfile(file):
            raise DatasetError(f"'{path}' is not an npz file, or is damaged: no zip archive")
        with np.load(file, allow_pickle=False) as arrays:
            part = {name: arrays[name] for name in arrays.files}
    except OSError as error:
        where = file.absolute()
        raise DatasetError(f"cannot read '{where}': {error.strerror or error}") from error
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds on damaged bytes
        if "allow_pickle" in str(error):
            raise DatasetError(
                f"'{path}' holds Python objects: save plain arrays of numbers or strings"
            ) from error
        raise DatasetError(f"'{path}' is not an npz file, or is damaged: {error}") from error
    for name in ("x_train", "y_train"):
        if name not in part:
            raise DatasetError(f"'{path}' has no '{name}', only {', '.join(sorted(part))}")
    classes = part.get("classes")
    if classes is not None and classes.ndim != 1:
        raise DatasetError(f"'{path}': classes has shape {list(classes.shape)}, not one name each")
    return Splits(
        part["x_train"],
        part["y_train"],
        part.get("x_test"),
        part.get("y_test"),
        classes=None if classes is None else [str(name) for name in classes],
        train_names=part.get("train_names", ()),
        test_names=part.get("test_names", ()),
        features=part.get("features", ()),
        modality=str(part["modality"]) if "modality" in part else None,
    )
