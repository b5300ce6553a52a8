"""Draws thousands of thumbnails on a few sheets, from which the page cuts them out."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from memtail_core.data import Examples
from memtail_core.drawing.pictures import picture
from memtail_core.running.machine import usable_cores

Images = NDArray[np.uint8]
Indices = NDArray[np.int64]

COLUMNS, ROWS = 32, 16  # cells of a sheet
_SIDES = (96, 64, 48, 32, 24)  # pixels, of the longer side
_QUALITIES = (85, 75, 60, 45)
_PER_SHEET = COLUMNS * ROWS


@dataclass(frozen=True)
class Look:
    """The size of thumbnails in pixels and their WebP quality; None is lossless."""

    width: int
    height: int
    quality: int | None


@dataclass(frozen=True, eq=False)
class Sheets:
    """Thumbnails of one set of n examples, 32 × 16 to a sheet, WebP.

    Attributes:
        look: how they were made.
        position: int64 [n], the cell of each, counted by rows over all sheets; −1: no thumbnail.
        images: the sheets; the last has no more rows than it needs.
    """

    look: Look
    position: Indices
    images: tuple[bytes, ...]

    @property
    def n_bytes(self) -> int:
        """The size of all sheets."""
        return sum(map(len, self.images))

    @property
    def n_pictured(self) -> int:
        """How many examples have a thumbnail."""
        return int((self.position >= 0).sum())


def looks(height: int, width: int) -> Iterator[Look]:
    """Yield looks for images of this size, the best first; none is larger than the images."""
    longest = max(height, width)
    sides = [min(longest, _SIDES[0])]
    sides += [side for side in _SIDES if side < sides[0]]
    for side in sides:
        across, down = (max(1, round(s * side / longest)) for s in (width, height))
        if side == sides[0]:
            yield Look(across, down, None)
        for quality in _QUALITIES:
            yield Look(across, down, quality)


def sheets(images: Examples, chosen: Indices, look: Look) -> Sheets:
    """Put thumbnails of the chosen images, of shape [h, w, c], on sheets in that order."""
    position = np.full(len(images), -1, np.int64)
    position[chosen] = np.arange(len(chosen))
    parts = [chosen[i : i + _PER_SHEET] for i in range(0, len(chosen), _PER_SHEET)]
    with ThreadPoolExecutor(usable_cores()) as threads:
        made = tuple(threads.map(lambda part: sheet(images.take(part), look), parts))
    return Sheets(look, position, made)


def sheet(images: Images, look: Look) -> bytes:
    """Encode up to 512 images as one picture; unused cells are black or transparent."""
    rows = -(-len(images) // COLUMNS)
    cells = np.zeros((rows * COLUMNS, look.height, look.width, images.shape[3]), np.uint8)
    for cell, image in zip(cells, images, strict=False):
        cell[:] = _thumbnail(image, look)
    laid = cells.reshape(rows, COLUMNS, look.height, look.width, -1).swapaxes(1, 2)
    buffer = io.BytesIO()
    how = {"lossless": True} if look.quality is None else {"quality": look.quality}
    whole = laid.reshape(rows * look.height, COLUMNS * look.width, -1)
    picture(whole).save(buffer, "webp", **how)
    return buffer.getvalue()


def _thumbnail(image: Images, look: Look) -> Images:
    if image.shape[:2] == (look.height, look.width):
        return image
    small = picture(image).resize((look.width, look.height), Image.Resampling.LANCZOS)
    return np.asarray(small).reshape(look.height, look.width, -1)
