"""Reads the pixels of one image file as people see them.

Upright, as EXIF says; what is transparent is white; CMYK, LAB and palettes become colours.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from memtail_core.data.image_files.formats import ImageFile, open_image
from memtail_core.data.image_files.grey_scale import GreyScale, Range

SEVERAL_FRAMES = "several frames"
DEEP_COLOUR = "deep colour"

_ONE_PICTURE = {"MPO", "PSD", "ICO", "ICNS"}  # their further frames are previews, sizes, layers
_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_TURNS = {  # by the value of EXIF's Orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITE_IS_ZERO = 0  # TIFF's PhotometricInterpretation, tag 262
_INTERPRETATION = 262


class ImageFileError(Exception):
    """Why a file cannot be read, in a few words."""


@dataclass(frozen=True)
class Decoded:
    """One image.

    Attributes:
        pixels: uint8 [h, w, 1 or 3]; None for deep grey values while their scale is not known.
        deep: the range of the grey values, for an image with more than 8 bits a pixel.
        notes: ``SEVERAL_FRAMES`` if only the first of them was read, ``DEEP_COLOUR`` if the colours
            lost their lower 8 of 16 bits.
    """

    pixels: NDArray[np.uint8] | None
    deep: Range | None = None
    notes: frozenset[str] = frozenset()


def decode(file: ImageFile, size: int | None, scale: GreyScale | None = None) -> Decoded:
    """Read one image.

    Args:
        file: where it is.
        size: resize to size × size pixels.
        scale: of the dataset's deep grey values; without it, their range is all that is returned.

    Raises:
        ImageFileError: the file cannot be read.
    """
    try:
        with open_image(file) as image:
            notes = {DEEP_COLOUR} if _has_deep_colour(image) else set()
            image.load()
            limits, pixels = None, None
            if _is_deep(image):
                values = _deep_values(image)
                limits = Range.of(values)
                if scale is not None:
                    pixels = _pixels(Image.fromarray(scale.shades(values)), size)
            else:
                pixels = shown_pixels(image, size)
            notes |= {SEVERAL_FRAMES} if _has_several_frames(image) else set()
            return Decoded(pixels, limits, frozenset(notes))
    except (ImageFileError, MemoryError):
        raise
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        raise ImageFileError(_reason(file, error)) from error


def shown_pixels(image: Image.Image, size: int | None) -> NDArray[np.uint8]:
    """The pixels of an image of at most 8 bits a channel as people see it, uint8 [h, w, 1 or 3].

    Args:
        image: upright after it was turned as its EXIF data say; what is transparent becomes white.
        size: resize to size × size pixels.
    """
    return _pixels(_on_white(_upright(image)), size)


def _pixels(image: Image.Image, size: int | None) -> NDArray[np.uint8]:
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    width, height = image.size
    return np.frombuffer(image.tobytes(), np.uint8).reshape(height, width, -1)


def _upright(image: Image.Image) -> Image.Image:
    """Turn and mirror an image as its EXIF data say."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data leave the pixels as they are
        return image
    return image if turn is None else image.transpose(turn)


def _on_white(image: Image.Image) -> Image.Image:
    """Return an image in mode L or RGB; what is transparent shows white."""
    mode = "L" if image.mode in ("1", "L") else "RGB"
    if image.mode in _ALPHA or "transparency" in image.info:
        coloured = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    return image if image.mode == mode else image.convert(mode)


def _is_deep(image: Image.Image) -> bool:
    """Whether its grey values have more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _deep_values(image: Image.Image) -> NDArray[Any]:
    """Return the grey values [h, w] of a deep image."""
    values = np.asarray(_upright(image))
    if not np.isfinite(values).all():
        raise ImageFileError("it has values that are not finite")
    tags = getattr(image, "tag_v2", {})
    if tags.get(_INTERPRETATION) == _WHITE_IS_ZERO and image.mode.startswith("I;16"):
        return 65535 - values  # Pillow inverts only 8 bits and fewer
    return values


def _has_deep_colour(image: Image.Image) -> bool:
    """Whether Pillow will cut its colours to 8 bits; known until they are loaded."""
    if image.format == "JPEG":  # most of all files
        return False
    return not _is_deep(image) and ";16" in str(getattr(image, "tile", ""))


def _has_several_frames(image: Image.Image) -> bool:
    if image.format in _ONE_PICTURE:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a second frame that is damaged
        return True


def _reason(file: ImageFile, error: Exception) -> str:
    with suppress(OSError):
        if not (Path(file).stat().st_size if isinstance(file, str) else len(file.read())):
            return "the file is empty"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return "cannot identify image file"
    return (str(error).strip() or type(error).__name__).splitlines()[0]
