"""Every modality there is, by name."""

from typing import Any

import numpy as np

from memtail_core.data.modalities.features.features import Features
from memtail_core.data.modalities.images.images import Images
from memtail_core.data.modalities.modality import Modality
from memtail_core.data.modalities.text.text import Text
from memtail_core.errors import DatasetError, did_you_mean

MODALITIES: dict[str, Modality] = {
    "images": Images(),
    "features": Features(),
    "text": Text(),
}


def named(name: str) -> Modality:
    """Return the modality of this name.

    Raises:
        DatasetError: there is none.
    """
    if name not in MODALITIES:
        hint = did_you_mean(name, list(MODALITIES))
        raise DatasetError(f"the data are of the modality '{name}', which is not known{hint}")
    return MODALITIES[name]


def modality_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Modality | None:
    """Recognise examples of one shape and dtype whose modality nobody names; None if none fits."""
    return next((each for each in MODALITIES.values() if each.claims(shape, dtype)), None)
