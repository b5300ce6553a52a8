"""``sklearn:digits`` and other datasets that scikit-learn ships.

Datasets that scikit-learn downloads are left out: it unpickles them.
"""

import numpy as np

from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError, did_you_mean

_NAMES = ("digits", "iris", "wine", "breast_cancer")


def load(name: str, /) -> Splits:
    """Read ``name``. Digits come as images, the others as features."""
    if name not in _NAMES:
        raise DatasetError(f"sklearn:{name} is not a source{did_you_mean(name, _NAMES)}")
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    classes = [str(value) for value in bunch.target_names]
    if name == "digits":  # 8 × 8 counts of 0 … 16
        x = np.round(bunch.images * (255 / 16)).astype(np.uint8)
        return Splits(x, bunch.target, classes=classes)
    x, features = bunch.data.astype(np.float32), list(bunch.feature_names)
    return Splits(x, bunch.target, classes=classes, features=features)
