"""Reads many image files in order: in threads, a bounded number ahead, so that any number can be.

Faults do not stop the reading: all that are found in one run are named together.
"""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from memtail_core.data.examples import Examples
from memtail_core.data.image_files.decoding import Decoded, ImageFileError, decode
from memtail_core.data.image_files.formats import ImageFile, formats_by_ending
from memtail_core.data.image_files.grey_scale import GreyScale, Range

_AHEAD = 8  # images per thread that are read before they are taken


@dataclass
class Images:
    """Many images of one size, as :func:`read_images` read them.

    Attributes:
        pixels: uint8 [n, h, w, 1 or 3], with rows of no meaning for files with faults.
        records: the same where they were not read into memory.
        scale: of deep grey values; None where there are none.
        n_deep: how many images have deep grey values.
        faults: why a file could not be read, by its row.
        noted: the rows that each note of :class:`Decoded` was made on.
        sizes: the first row with images of each (width, height).
        complaints: what Pillow warned of, each once.
    """

    pixels: NDArray[np.uint8] | None = None
    records: Examples | None = None
    scale: GreyScale | None = None
    n_deep: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    noted: dict[str, list[int]] = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    complaints: set[str] = field(default_factory=set)


def read_images(files: Sequence[ImageFile], size: int | None) -> Images:
    """Read ``files``; deep grey values are put on one scale, in a second pass over their files."""
    images = Images()
    with complaints_into(images.complaints):
        deep: list[int] = []
        limits: Range | None = None
        for row, image in enumerate(decoded(files, size)):
            if isinstance(image, Decoded) and image.deep is not None:
                deep.append(row)
                limits = image.deep if limits is None else limits | image.deep
            _keep(images, row, image, len(files))
        if limits is not None:
            images.scale, images.n_deep = GreyScale.of(limits), len(deep)
            again = decoded([files[row] for row in deep], size, images.scale)
            for row, image in zip(deep, again, strict=True):
                _keep(images, row, image, len(files))
    return images


@contextmanager
def complaints_into(complaints: set[str]) -> Iterator[None]:
    """Collect what Pillow warns of, instead of printing it for each file."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def collect(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if Path(filename).parent.name == "PIL":
                complaints.add(" ".join(str(message).split()))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the files are the user's
        warnings.showwarning = collect
        yield


def decoded(
    files: Sequence[ImageFile], size: int | None, scale: GreyScale | None = None
) -> Iterator[Decoded | ImageFileError]:
    """Yield each of ``files`` decoded, or its fault, in order.

    Pillow decodes and resizes without the interpreter's lock, so threads share the work.
    """

    formats_by_ending()  # loads Pillow's plugins before threads want them

    def read(file: ImageFile) -> Decoded | ImageFileError:
        try:
            return decode(file, size, scale)
        except ImageFileError as fault:
            return fault

    yield from _in_threads(read, files)


def _in_threads(
    read: Callable[[ImageFile], Decoded | ImageFileError], files: Sequence[ImageFile]
) -> Iterator[Decoded | ImageFileError]:
    n_threads = min(32, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(n_threads)
    waiting: deque[Future[Decoded | ImageFileError]] = deque()
    try:
        for file in files:
            waiting.append(pool.submit(read, file))
            if len(waiting) > n_threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _keep(images: Images, row: int, image: Decoded | ImageFileError, n: int) -> None:
    """Put an image into its row."""
    if isinstance(image, ImageFileError):
        images.faults[row] = str(image)
        return
    if image.pixels is None:
        return  # until the scale is known
    for note in image.notes:
        images.noted.setdefault(note, []).append(row)
    height, width, channels = image.pixels.shape
    images.sizes.setdefault((width, height), row)
    images.sizes[width, height] = min(row, images.sizes[width, height])
    if len(images.sizes) > 1:
        images.pixels = None  # they cannot be one array
        return
    if images.pixels is None:
        images.pixels = np.zeros((n, height, width, channels), np.uint8)
    elif images.pixels.shape[3] < channels:  # the first in colour, after grey ones
        images.pixels = np.repeat(images.pixels, channels, 3)
    images.pixels[row] = image.pixels
