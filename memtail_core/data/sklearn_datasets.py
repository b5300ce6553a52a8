"""``sklearn:digits`` and the other datasets that scikit-learn ships or fetches."""

from typing import Any

import numpy as np

from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError, did_you_mean

_NAMES = ("digits", "iris", "wine", "breast_cancer", "covtype", "olivetti_faces")


def load(name: str, /) -> Splits:
    """Read ``name``. Digits and faces come as images, the others as features."""
    if name not in _NAMES:
        raise DatasetError(f"sklearn:{name} is not a source{did_you_mean(name, _NAMES)}")
    import sklearn.datasets

    ships = hasattr(sklearn.datasets, f"load_{name}")
    read = getattr(sklearn.datasets, f"{'load' if ships else 'fetch'}_{name}")
    try:
        found = read()
    except OSError as error:
        raise DatasetError(f"sklearn:{name} could not be downloaded: {error}") from error
    values, y = np.unique(found.target, return_inverse=True)
    names = getattr(found, "target_names", None)
    classes = [str(v) for v in (values if names is None or len(names) != len(values) else names)]
    return Splits(_examples(name, found), y, classes=classes)


def _examples(name: str, found: Any) -> Any:
    if name == "digits":  # 8 × 8 counts of 0 … 16
        return np.round(found.images * (255 / 16)).astype(np.uint8)
    if name == "olivetti_faces":  # 64 × 64 in [0, 1]
        return np.round(found.images * 255).astype(np.uint8)
    return np.asarray(found.data, dtype=np.float32)
