"""Packs images: lists the parts, makes those that are missing on all cores, and puts them together.

The records are those that reading into memory gives, byte for byte. A packing that is interrupted
goes on where it was: finished parts are not decoded again.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from memtail_core.data.examples import Examples
from memtail_core.data.image_files.decoding import Decoded, ImageFileError
from memtail_core.data.image_files.formats import ImageFile
from memtail_core.data.image_files.grey_scale import GreyScale, Range
from memtail_core.data.image_files.reading import Images, complaints_into, decoded
from memtail_core.data.packed.part_folder import PartFolder
from memtail_core.data.packed.records import Packed, Part, Records
from memtail_core.data.packed.writing import (
    Made,
    Stamped,
    Task,
    is_portable,
    make_part,
    noted,
)
from memtail_core.data.wording import some
from memtail_core.errors import DatasetError, MachineError

PART_BYTES = 2**28
_FEWEST_PARTS = 64  # so that all cores have work to the end, also of a small dataset
_SMALLEST_PART = 2**22  # bytes
_PROBED = 64  # images, evenly spread, that tell the shape of the records

Pool = Callable[[int], AbstractContextManager[Executor]]


@contextmanager
def threads(workers: int) -> Iterator[Executor]:
    """Threads, which decode side by side as far as Pillow lets them."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Packer:
    """Where examples are packed, and by whom.

    Attributes:
        folder: of the parts.
        notes: the folder of notes on what was packed before.
        workers: how many parts are made at once.
        pool: makes that many processes; by default threads.
        progress: called with the images that were done, and with all there are.
    """

    folder: PartFolder
    notes: Path
    workers: int = 1
    pool: Pool = threads
    progress: Callable[[int, int], None] | None = None

    def images(self, files: Sequence[ImageFile], size: int | None) -> Images:
        """Read images as :func:`.read_images` does, into parts.

        Raises:
            DatasetError: files changed while they were read.
            MachineError: the disk is full or refuses, or the cache may not hold as much.
        """
        images = Images()
        with complaints_into(images.complaints):
            shape = record_shape(files, size)
            stamped = Stamped(files)
            made = self._made(stamped, size, shape, None)
            if shape[2] == 1 and any(each.is_coloured for each in made):
                shape = (*shape[:2], 3)
                made = self._made(stamped, size, shape, None)
            limits: Range | None = None
            for each in made:
                if each.range is not None:
                    limits = each.range if limits is None else limits | each.range
            if limits is not None:  # known only now: parts with deep grey values are made again
                images.scale = GreyScale.of(limits)
                is_deep = [bool(each.deep) for each in made]
                made = self._made(stamped, size, shape, images.scale, is_deep, made)
        images.n_deep = sum(len(each.deep) for each in made)
        self._collect(images, made, files)
        parts = [each.part for each in made]
        images.records = Packed(Records(self.folder.root, parts, shape, np.dtype(np.uint8)))
        return images

    def array(self, examples: Examples) -> Packed:
        """Pack examples that are in memory."""
        rows = rows_per_part(len(examples), examples.example_bytes)
        self.folder.make_room(examples.nbytes, ())
        parts = []
        for chunk in examples.chunks(rows):
            if len(chunk):
                with self.folder.written() as writer:
                    writer.write(np.ascontiguousarray(chunk).reshape(-1).view(np.uint8))
                parts.append(Part(writer.sha256, len(chunk)))
        return Packed(Records(self.folder.root, parts, examples.shape, examples.dtype))

    def joined(self, packed: Sequence[Packed]) -> list[Packed]:
        """Put several packed sets of one shape into the same records."""
        parts = [part for each in packed for part in each.records.parts]
        first = packed[0]
        records = Records(self.folder.root, parts, first.shape, first.dtype)
        starts = np.cumsum([0, *(len(each.records) for each in packed)])
        return [
            Packed(records, start + each.rows) for start, each in zip(starts, packed, strict=False)
        ]

    def _made(
        self,
        stamped: Stamped,
        size: int | None,
        shape: tuple[int, int, int],
        scale: GreyScale | None,
        wanted: Sequence[bool] | None = None,
        before: Sequence[Made] = (),
    ) -> list[Made]:
        """Make the parts that are missing; return all, in order.

        ``wanted`` says which to make, of others ``before`` is taken.
        """
        n, record_bytes = len(stamped.files), math.prod(shape)
        rows = rows_per_part(n, record_bytes)
        parts = [slice(start, min(n, start + rows)) for start in range(0, n, rows)]

        def task(i: int) -> Task:
            return Task(stamped.files[parts[i]], stamped.stamps(parts[i]), size, shape, scale)

        has_notes = any(self.notes.glob("*.json"))  # else files are noted while others are decoded
        made: list[Made | None] = [
            before[i]
            if wanted is not None and not wanted[i]
            else noted(self.notes, self.folder, task(i).key(), record_bytes)
            if has_notes
            else None
            for i in range(len(parts))
        ]
        there = [each.part for each in made if each is not None]
        missing = [i for i, each in enumerate(made) if each is None]
        self.folder.use(there)
        n_missing = sum(parts[i].stop - parts[i].start for i in missing)
        if missing:
            self.folder.make_room(n_missing * record_bytes, there)
        done = n - n_missing
        self._tell(done, n)
        can_travel = all(is_portable(file) for i in missing for file in stamped.files[parts[i]])
        for i, each in self._in_parallel(task, missing, can_travel):
            made[i] = each
            done += each.rows
            self._tell(done, n)
        return [each for each in made if each is not None]

    def _in_parallel(
        self, task: Callable[[int], Task], missing: Sequence[int], can_travel: bool
    ) -> Iterator[tuple[int, Made]]:
        """Make parts side by side; a few wait, so that none of the cores does."""
        if not missing:
            return
        is_alone = can_travel and self.pool is not threads and len(missing) > 1
        pool = self.pool if is_alone else threads
        make = partial(make_part, folder=self.folder, notes=self.notes, is_alone=is_alone)
        workers = min(self.workers, len(missing))
        waiting: deque[tuple[int, Future[Made]]] = deque()
        try:
            with pool(workers) as running:
                for i in missing:
                    waiting.append((i, running.submit(make, task(i))))
                    if len(waiting) > 2 * workers:
                        first, future = waiting.popleft()
                        yield first, future.result()
                while waiting:
                    first, future = waiting.popleft()
                    yield first, future.result()
        except BrokenExecutor as error:
            raise MachineError(
                "a process that packed died, most likely for lack of memory: run the same command "
                "again, which goes on, or use fewer --workers"
            ) from error

    def _collect(self, images: Images, made: Sequence[Made], files: Sequence[ImageFile]) -> None:
        """Put together what was met in all parts."""
        start = 0
        changed: list[int] = []
        for each in made:
            images.faults |= {start + row: why for row, why in each.faults.items()}
            for note, rows in each.noted.items():
                images.noted.setdefault(note, []).extend(start + row for row in rows)
            for width, height, row in each.sizes:
                images.sizes.setdefault((width, height), start + row)
            images.complaints |= set(each.complaints)
            changed += [start + row for row in each.changed]
            start += each.rows
        if changed:
            names = [file if isinstance(file, str) else file.name for file in files]
            raise DatasetError(
                f"{some(names[row] for row in changed)} changed while being packed: run the same "
                "command again, which decodes only what is new"
            )

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)


def rows_per_part(n: int, record_bytes: int) -> int:
    """Records of a part: at most 256 MiB, and of a small dataset a 64th."""
    most = max(1, PART_BYTES // max(1, record_bytes))
    least = max(1, _SMALLEST_PART // max(1, record_bytes))
    return min(most, max(least, -(-n // _FEWEST_PARTS)))


def record_shape(files: Sequence[ImageFile], size: int | None) -> tuple[int, int, int]:
    """The shape of the records: three channels if one of a few images is in colour."""
    evenly = np.linspace(0, len(files) - 1, min(_PROBED, len(files))).round().astype(int)
    scale = GreyScale(0, 1)  # any: only shapes are looked at
    shapes = list(_shapes(decoded([files[i] for i in evenly], size, scale)))
    if not shapes:  # perhaps the others can be read
        shapes = [next(_shapes(decoded(files, size, scale)), (size or 1, size or 1, 1))]
    height, width, _ = shapes[0]
    return height, width, max(shape[2] for shape in shapes)


def _shapes(images: Iterable[Decoded | ImageFileError]) -> Iterator[tuple[int, int, int]]:
    for image in images:
        if isinstance(image, Decoded) and image.pixels is not None:
            height, width, channels = image.pixels.shape
            yield height, width, channels
