"""``torchvision:CIFAR10`` and other small image datasets, read by torchvision."""

from typing import Any

import numpy as np

from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError, did_you_mean

_NAMES = ("MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN")


def load(name: str, /, *, root: str = "data", download: bool = True) -> Splits:
    """Read ``name`` from the folder ``root``, after downloading it there where needed."""
    if name not in _NAMES:
        raise DatasetError(f"torchvision:{name} is not a source{did_you_mean(name, _NAMES)}")
    import torchvision.datasets

    read = getattr(torchvision.datasets, name)

    def part(train: bool, download: bool) -> Any:
        which = {"split": "train" if train else "test"} if name == "SVHN" else {"train": train}
        return read(root=root, download=download, **which)

    def both(download: bool) -> tuple[Any, Any]:
        return part(True, download), part(False, download)

    try:
        train, test = both(download=False)  # if the copy is complete, nothing is downloaded
    except Exception as missing:  # missing or damaged: torchvision raises a dozen kinds
        if not download:
            raise DatasetError(
                f"{name} is not in the folder '{root}', or is damaged there: set [dataset] root to "
                "where it is, or download = true"
            ) from missing
        try:
            train, test = both(download=True)
        except Exception as error:  # urllib, ssl, zip, hash: whatever a download can fail with
            raise DatasetError(
                f"{name} is not in the folder '{root}' and could not be downloaded "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__}): put it "
                "there, or set [dataset] root to where it is"
            ) from error
    return Splits(
        _pixels(train), _labels(train), _pixels(test), _labels(test), classes=_classes(train)
    )


def _pixels(part: Any) -> Any:
    pixels = np.asarray(part.data)
    is_channels_first = pixels.ndim == 4 and pixels.shape[1] == 3 and pixels.shape[-1] != 3
    return pixels.transpose(0, 2, 3, 1) if is_channels_first else pixels


def _labels(part: Any) -> Any:
    return np.asarray(part.labels if hasattr(part, "labels") else part.targets)


def _classes(part: Any) -> list[str]:
    names = getattr(part, "classes", None)
    return list(names) if names else [str(i) for i in range(int(_labels(part).max()) + 1)]
