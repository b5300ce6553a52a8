"""Images in other forms than bytes with channels last: floats, large integers, channels first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import Account
from memtail_core.errors import DatasetError

_CHANNELS = (1, 3, 4)
_FIRST = (1, 3)  # what can come first; 4 are likelier the rows of tiny images
Array = NDArray[Any]


def as_images(train: Any, test: Any) -> tuple[Any, Any, Account]:
    """Return both sets as bytes [n, h, w] or [n, h, w, c] if they look like images.

    One rule for both sets, which the account names. Whatever looks otherwise is left as it is.

    Args:
        train, test: arrays, or None.

    Raises:
        DatasetError: the values are no pixels.
    """
    if train is None or train.ndim not in (3, 4):
        return train, test, Account()
    if not train.size or train.dtype.kind not in "fiub":
        return train, test, Account()
    alike = test is not None and test.ndim == train.ndim and test.dtype.kind in "fiub"
    both = [train, test] if alike and test.size else [train]
    both, of_layout = _channels_last(both)
    both, of_values = _as_bytes(both)
    return both[0], both[1] if len(both) > 1 else test, of_layout + of_values


def _channels_last(both: list[Array]) -> tuple[list[Array], Account]:
    shape = both[0].shape
    given = f"x_train is {list(shape)}"
    if len(shape) == 3:
        if shape[2] in _CHANNELS and shape[1] > max(_CHANNELS):
            return both, Account(
                warnings=(
                    f"{given}: taken as {shape[0]} grey images, {shape[2]} pixels wide; give one "
                    "colour image as [1, h, w, c]",
                )
            )
        return both, Account()
    if shape[1] not in _FIRST:
        return both, Account()
    if shape[3] not in _CHANNELS:
        line = f"{given}: taken as [n, channels, height, width]"
        return [np.moveaxis(x, 1, -1) for x in both], Account((line,))
    if shape[2] > max(_CHANNELS):
        return both, Account(
            warnings=(
                f"{given}: taken as images {shape[1]} pixels high with {shape[3]} channels; if the "
                "channels come first, move them to the end",
            )
        )
    return both, Account()


def _as_bytes(both: list[Array]) -> tuple[list[Array], Account]:
    kinds = {x.dtype.kind for x in both}
    if any(x.dtype.kind == "f" and not np.isfinite(x).all() for x in both):
        return both, Account()  # refused by the modality, in its words
    if all(x.dtype == np.uint8 for x in both):
        if max(int(x.max()) for x in both) > 1:
            return both, Account()
        return both, Account(
            warnings=(
                "all pixels are 0 or 1 of 255: if fractions were cut to bytes, give floats from 0 "
                "to 1 instead",
            )
        )
    low, high = min(float(x.min()) for x in both), max(float(x.max()) for x in both)
    given = f"pixels are {both[0].dtype} from {low:.4g} to {high:.4g}"
    if low < 0 or (kinds == {"f"} and high > 255):
        raise DatasetError(
            f"x_train holds {given.removeprefix('pixels are ')}: give images as bytes from 0 to "
            "255, or floats from 0 to 1, not standardized"
        )
    highest = [float(x.max()) for x in both]
    if min(highest) <= 1 < max(highest) and "f" in kinds:
        raise DatasetError(
            f"x_train holds pixels up to {highest[0]:.4g}, x_test up to {highest[1]:.4g}: both "
            "need one scale"
        )
    scale = 255.0 if high <= 1 else 1.0 if high <= 255 else 255 / high
    said = f"{given}: " + ("taken as they are" if scale == 1 else f"multiplied by {scale:.4g}")
    is_whole = scale == 1 and all(x.dtype.kind != "f" or (x == np.rint(x)).all() for x in both)
    line = said if is_whole else f"{said}, rounded to bytes"
    return [_scaled(x, scale) for x in both], Account((line,))


def _scaled(x: Array, scale: float) -> Array:
    scaled = np.empty(x.shape, np.uint8)
    for row, into in zip(x, scaled, strict=True):  # without a copy in float64
        into[...] = np.rint(row * scale) if scale != 1 or x.dtype.kind == "f" else row
    return scaled
