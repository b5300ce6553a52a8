"""Makes one part of a packed dataset: decodes its images, writes the records, notes what it met.

What was met is kept in a note beside the parts, under a digest of the files and of how they were
decoded. A part whose note and file are there is not made again.
"""

import gc
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydantic
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from memtail_core.data.image_files.decoding import Decoded, ImageFileError, decode
from memtail_core.data.image_files.formats import Embedded, FilePart, ImageFile, formats_by_ending
from memtail_core.data.image_files.grey_scale import GreyScale, Range
from memtail_core.data.image_files.reading import complaints_into
from memtail_core.data.packed.part_folder import PartFolder
from memtail_core.data.packed.records import Part
from memtail_core.store.files import synced

_FORMAT = 1  # raised when the same files give other records


class Stamp(NamedTuple):
    """By which a file is recognized: its size and when it was written."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, file: ImageFile) -> "Stamp | None":
        """The stamp of a file, or of the one that it lies in; None where there is none."""
        path = file if isinstance(file, str) else getattr(file.read, "path", None)
        try:
            status = None if path is None else os.stat(path)  # noqa: PTH116  # twice as fast
        except OSError:
            return None
        return None if status is None else cls(status.st_size, status.st_mtime_ns)


class Stamped:
    """Files with their stamps, which are taken once, when a part is asked for."""

    def __init__(self, files: Sequence[ImageFile]) -> None:
        self.files = files
        self._stamps: dict[tuple[int, int], list[Stamp | None]] = {}

    def stamps(self, part: slice) -> list[Stamp | None]:
        """Those of the files of a part."""
        place = part.start, part.stop
        if place not in self._stamps:
            self._stamps[place] = [Stamp.of(file) for file in self.files[part]]
        return self._stamps[place]


class Task(NamedTuple):
    """A part to make.

    Attributes:
        files: its images, in order.
        stamps: of the files, taken before they are decoded.
        size: to resize to; None: they have the shape's.
        shape: of a record, (height, width, channels).
        scale: of deep grey values, once it is known.
    """

    files: Sequence[ImageFile]
    stamps: Sequence[Stamp | None]
    size: int | None
    shape: tuple[int, int, int]
    scale: GreyScale | None = None

    def key(self) -> str:
        """A digest of all that the records depend on."""
        scale = None if self.scale is None else (self.scale.low, self.scale.high)
        files = [_identity(*each) for each in zip(self.files, self.stamps, strict=True)]
        all_of_it = json.dumps([_FORMAT, self.size, self.shape, scale, files])
        return hashlib.sha256(all_of_it.encode()).hexdigest()


@dataclass(frozen=True)
class Made:
    """A part that was made, and what was met; rows count from the part's first.

    Attributes:
        sha256, rows, mtime_ns: of the part, and when its file was written.
        faults: why a file could not be read, by its row; its record is zero.
        noted: the rows that each note of :class:`.Decoded` was made on.
        sizes: width, height and first row of each size that was met.
        deep: the rows with deep grey values, with their range.
        changed: rows of files that changed while they were decoded.
        is_coloured: whether an image in colour was met.
        complaints: what Pillow warned of.
    """

    sha256: str
    rows: int
    mtime_ns: int
    faults: dict[int, str]
    noted: dict[str, list[int]]
    sizes: list[tuple[int, int, int]]
    deep: list[int]
    low: float
    high: float
    changed: list[int]
    is_coloured: bool
    complaints: list[str]

    @property
    def part(self) -> Part:
        """The part."""
        return Part(self.sha256, self.rows)

    @property
    def range(self) -> Range | None:
        """The range of its deep grey values, if there are any."""
        return Range(self.low, self.high) if self.deep else None


_AS_JSON = pydantic.TypeAdapter(Made)


def noted(notes: Path, folder: PartFolder, key: str, record_bytes: int) -> Made | None:
    """Return the part that was made before under this key, if it is still there as it was."""
    try:
        made = _AS_JSON.validate_json((notes / f"{key}.json").read_bytes())
        is_there = folder.has(made.part, record_bytes)
        is_same = is_there and folder.file(made.part).stat().st_mtime_ns == made.mtime_ns
    except (OSError, pydantic.ValidationError):
        return None
    return made if is_same else None


def make_part(task: Task, folder: PartFolder, notes: Path, *, is_alone: bool) -> Made:
    """Decode the images of a part and write it.

    Args:
        task: which.
        folder: where it goes.
        notes: the folder of notes.
        is_alone: this process does nothing else, so that it may collect Pillow's warnings.

    Raises:
        MachineError: the disk is full or refuses.
    """
    formats_by_ending()  # loads Pillow's plugins
    if is_alone and not gc.get_freeze_count():
        gc.collect()
        gc.freeze()  # else all that was imported is looked through again and again
    met = _Met()
    with complaints_into(met.complaints) if is_alone else nullcontext(), folder.written() as writer:
        for row, file in enumerate(task.files):
            writer.write(_record(row, file, task, met))
    part = Part(writer.sha256, len(task.files))
    made = Made(
        *(part.sha256, part.rows, folder.file(part).stat().st_mtime_ns),
        met.faults,
        met.noted,
        [(*size, row) for size, row in met.sizes.items()],
        met.deep,
        *((0.0, 0.0) if met.range is None else (met.range.low, met.range.high)),
        met.changed,
        met.is_coloured,
        sorted(met.complaints),
    )
    if not met.changed:
        _keep(notes, task.key(), _AS_JSON.dump_json(made))
    return made


class _Met:
    """What is met while a part is made."""

    def __init__(self) -> None:
        self.faults: dict[int, str] = {}
        self.noted: dict[str, list[int]] = {}
        self.sizes: dict[tuple[int, int], int] = {}
        self.deep: list[int] = []
        self.range: Range | None = None
        self.changed: list[int] = []
        self.is_coloured = False
        self.complaints: set[str] = set()


def _record(row: int, file: ImageFile, task: Task, met: _Met) -> NDArray[np.uint8]:
    """Decode one image into a record; zeros where there is no image of this shape."""
    height, width, channels = task.shape
    try:
        image = decode(file, task.size, task.scale)
    except ImageFileError as fault:
        met.faults[row] = str(fault)
        image = Decoded(None)
    if Stamp.of(file) != task.stamps[row]:
        met.changed.append(row)
    if image.deep is not None:
        met.deep.append(row)
        met.range = image.deep if met.range is None else met.range | image.deep
    if image.pixels is None:
        return np.zeros(task.shape, np.uint8)
    for note in image.notes:
        met.noted.setdefault(note, []).append(row)
    h, w, c = image.pixels.shape
    met.sizes.setdefault((w, h), row)
    met.is_coloured |= c > 1
    if (h, w) != (height, width) or c > channels:
        return np.zeros(task.shape, np.uint8)
    pixels = image.pixels if c == channels else np.repeat(image.pixels, channels, 2)
    return np.ascontiguousarray(pixels)


def _identity(file: ImageFile, stamp: Stamp | None) -> tuple[Any, ...]:
    """What tells a file from others, and from what it was before."""
    if isinstance(file, str):
        return file, stamp
    if isinstance(file.read, FilePart):
        return file.name, file.read.path, file.read.start, file.read.length, stamp
    return file.name, hashlib.sha256(file.read()).hexdigest(), stamp


def is_portable(file: ImageFile) -> bool:
    """Whether another process can read it."""
    return not isinstance(file, Embedded) or isinstance(file.read, FilePart)


def _keep(notes: Path, key: str, content: bytes) -> None:
    """Write a note, durably; without it the part would be made again."""
    notes.mkdir(parents=True, exist_ok=True)
    partial = notes / f".{key}.{os.getpid()}"
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(notes / f"{key}.json")
    synced(notes)
