"""Images of a dataset as small pictures, each the source of an ``<img>``."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SMALL, _LONGEST_SIDE = 48, 96  # pixels


def picture(image: NDArray[np.uint8]) -> Image.Image:
    """Read an image, uint8 [h, w, c], of 1, 3 or 4 channels."""
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def data_uri(image: NDArray[np.uint8], *, is_exact: bool = False) -> str:
    """Encode an image, uint8 [h, w, c], as the source of an ``<img>``; a large one shrunk.

    ``is_exact``: as PNG, whatever its size.
    """
    shown = picture(image)
    is_small = max(shown.size) <= _SMALL  # every pixel counts
    if not is_small:
        shown.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    if is_small or is_exact:
        kind = "png"
        shown.save(buffer, kind, optimize=True)
    else:
        kind = "webp"
        shown.save(buffer, kind, quality=80)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
