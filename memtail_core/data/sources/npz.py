"""``npz:arrays.npz``: the arrays x_train and y_train, and whatever else Splits has a name for.

Usual other names, as MedMNIST's, are taken with a note; what has no known name is listed.
"""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from memtail_core.data.account import Account
from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError

_PARTS = (
    *("x_train", "y_train", "x_test", "y_test", "classes"),
    *("train_names", "test_names", "features", "modality"),
)
_ALSO = {  # what MedMNIST, scikit-learn, Keras and others call them
    "x_train": ("X_train", "train_images", "train_x", "train_data", "X", "x", "data", "images"),
    "y_train": ("Y_train", "train_labels", "train_y", "y", "Y", "target", "labels"),
    "x_test": ("X_test", "test_images", "test_x", "test_data"),
    "y_test": ("Y_test", "test_labels", "test_y"),
    "classes": ("class_names", "label_names", "target_names"),
    "features": ("feature_names",),
}
_VALIDATION = (
    *(("x_val", "y_val"), ("X_val", "Y_val"), ("X_val", "y_val"), ("val_images", "val_labels")),
    ("x_valid", "y_valid"),
)


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
            given = {name: arrays[name] for name in arrays.files}
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
    part, account = _known(given)
    is_text = part["x_train"].dtype.kind in "SU" if "x_train" in part else False
    for name in ("x_train", *(() if is_text else ("y_train",))):  # texts may have no labels
        if name not in part:
            raise DatasetError(
                f"'{path}' has no '{name}', only {', '.join(sorted(given))}: "
                "np.savez('data.npz', x_train=…, y_train=…)"
            )
    classes = part.get("classes")
    if classes is not None and classes.ndim != 1:
        raise DatasetError(f"'{path}': classes has shape {list(classes.shape)}, not one name each")
    return Splits(
        part["x_train"],
        part.get("y_train"),
        part.get("x_test"),
        part.get("y_test"),
        classes=classes,
        train_names=part.get("train_names", ()),
        test_names=part.get("test_names", ()),
        features=part.get("features", ()),
        modality=str(part["modality"]) if "modality" in part else None,
        account=account,
    )


def _known(given: dict[str, Any]) -> tuple[dict[str, Any], Account]:
    """Give every array the name that memtail knows it by; say what was renamed and left out."""
    part, lines = {}, []
    for name in _PARTS:
        calling = [each for each in (name, *_ALSO.get(name, ())) if each in given]
        if calling:
            part[name] = given[calling[0]]
        if calling and calling[0] != name:
            lines.append(f"{calling[0]} taken as {name}")
    if not {"x_test", "y_test"} & part.keys():
        for x, y in _VALIDATION:
            if x in given and y in given:
                part["x_test"], part["y_test"] = given[x], given[y]
                lines.append(f"{x} and {y} taken as the test set, since there is no other")
                break
    used = {id(array) for array in part.values()}
    if unused := sorted(name for name, array in given.items() if id(array) not in used):
        lines.append(f"left out: {', '.join(unused)}; memtail reads {', '.join(_PARTS)}")
    return part, Account(tuple(lines))
