"""An image of a dataset as a small picture: the ``src`` of an ``<img>``."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SMALL, _LONGEST_SIDE = 48, 96  # pixels


def picture(image: NDArray[np.uint8]) -> Image.Image:
    """Turn an array, uint8 [h, w, c] with 1, 3 or 4 channels, into an image."""
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def data_uri(image: NDArray[np.uint8], *, is_exact: bool = False) -> str:
    """Encode an image, uint8 [h, w, c], as the ``src`` of an ``<img>``; large ones are shrunk.

    Args:
        image: the pixels.
        is_exact: encode as PNG, whatever the size.
    """
    scaled = picture(image)
    is_small = max(scaled.size) <= _SMALL  # every pixel counts
    if not is_small:
        scaled.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    if is_small or is_exact:
        kind = "png"
        scaled.save(buffer, kind, optimize=True)
    else:
        kind = "webp"
        scaled.save(buffer, kind, quality=80)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
