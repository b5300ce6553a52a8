"""Says which files are images: those whose ending or first bytes Pillow knows, and can decode."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

_SMALL = 2**20  # bytes

# Formats whose first bytes cannot be taken for those of another file.
_SIGNED = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF", "PSD", "QOI", "PPM")

# Pillow recognises these, but has no decoder of its own, or calls another program for them.
_UNDECODED = {"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5", "IPTC"}

_PICTURES = {  # endings of what a user may take for an image, but Pillow cannot decode
    *(".heic", ".heif", ".jxl", ".svg", ".eps", ".wmf", ".emf", ".exr", ".hdr", ".dcm", ".nii"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw", ".ai", ".xcf"),
    *(".mp4", ".mov", ".avi", ".mkv", ".mpg", ".mpeg", ".npy", ".npz", ".pdf"),
}


@dataclass(frozen=True)
class Embedded:
    """An image file that lies within another file: in a row of a table, or in an archive.

    Attributes:
        name: what it is called there; its ending, if there is one, tells the format.
        read: returns its bytes.
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class FilePart:
    """Reads the bytes of an :class:`Embedded` file that lies in another; processes may have it."""

    path: str
    start: int
    length: int

    def __call__(self) -> bytes:
        """Return them."""
        with Path(self.path).open("rb") as file:
            file.seek(self.start)
            return file.read(self.length)


ImageFile = str | Embedded
"""A path, or where else the bytes of an image file are."""


@cache
def formats_by_ending() -> dict[str, str]:
    """Return the format of each ending in lower case, as ``.jpg``, that Pillow decodes."""
    Image.init()
    return {
        ending: name
        for ending, name in Image.registered_extensions().items()
        if name in Image.OPEN and name not in _UNDECODED
    }


def ending(path: str) -> str:
    """Return the ending of a file's name in lower case, as ``.jpg``, or nothing."""
    stem, _, last = os.path.basename(path).rpartition(".")  # noqa: PTH119  # a quarter of the time
    return f".{last.lower()}" if stem and last else ""


def is_undecoded_picture(path: str) -> bool:
    """Whether the ending is one of pictures or videos that memtail does not read."""
    return ending(path) in _PICTURES


def is_image(path: str) -> bool:
    """Whether to read a file as an image: by its ending or, where that says nothing, its bytes."""
    if ending(path) in formats_by_ending():
        return True
    try:
        with Path(path).open("rb") as file:
            start = file.read(16)
        if not any(accept(start) is True for accept in _signatures().values()):
            return False
        with open_image(path):
            return True
    except Exception:  # Pillow raises a dozen kinds for what is no image
        return False


def open_image(file: ImageFile) -> Image.Image:
    """Open an image by its content, whatever its ending says."""
    name, content = (file, _small(file)) if isinstance(file, str) else (file.name, file.read())
    return Image.open(
        name if content is None else io.BytesIO(content), formats=_tried(ending(name))
    )


def _small(path: str) -> bytes | None:
    """All of a file that is not large; Pillow would read it in forty pieces.

    Raises:
        OSError: it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        content = os.read(file, _SMALL)
        return content if len(content) == os.fstat(file).st_size else None
    finally:
        os.close(file)


@cache
def _tried(ending: str) -> list[str]:
    """The formats that a file of this ending may have."""
    named = formats_by_ending().get(ending)
    return [*_signatures(), *([named] if named else [])]


@cache
def _signatures() -> dict[str, Callable[[bytes], bool | str]]:
    """What tells of a file's first 16 bytes whether it may have the format."""
    formats_by_ending()  # this loads every plugin
    opened = {name: Image.OPEN[name][1] for name in _SIGNED if name in Image.OPEN}
    return {name: accept for name, accept in opened.items() if accept is not None}
