"""Images of a dataset as small pictures: one as PNG, or many laid out on one canvas."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SMALL, _LONGEST_SIDE = 48, 96  # pixels


def picture(image: NDArray[np.uint8]) -> Image.Image:
    """Read an image, uint8 [h, w, c], of 1, 3 or 4 channels."""
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def data_uri(image: NDArray[np.uint8]) -> str:
    """Encode an image, uint8 [h, w, c], as the source of an ``<img>``; a large one shrunk."""
    shown = picture(image)
    buffer = io.BytesIO()
    if max(shown.size) <= _SMALL:  # every pixel counts
        kind = "png"
        shown.save(buffer, kind, optimize=True)
    else:
        kind = "webp"
        shown.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        shown.save(buffer, kind, quality=80)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def pitch(images: NDArray[np.uint8]) -> tuple[int, int]:
    """How far apart :func:`canvas` lays images, [(n,) h, w, c], out: pixels down and across."""
    height, width = images.shape[-3:-1]
    gap = max(1, height // 12)
    return height + gap, width + gap


def canvas(rows: list[list[NDArray[np.uint8] | None]]) -> NDArray[Any]:
    """Lay images out in rows on white, uint8 [H, W, 3], with a gap between them."""
    first = next(image for row in rows for image in row if image is not None)
    (height, width), (down, across) = first.shape[:2], pitch(first)
    columns = max(len(row) for row in rows)
    shape = ((len(rows) - 1) * down + height, (columns - 1) * across + width, 3)
    sheet = np.full(shape, 255, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            if image is not None:
                top, left = i * down, j * across
                sheet[top : top + height, left : left + width] = image[..., :3]
    return sheet
