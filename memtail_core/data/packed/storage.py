"""Chooses between memory and packed records: ``[dataset] storage``."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from memtail_core.data.examples import as_examples
from memtail_core.data.image_files.labelled import Undecoded
from memtail_core.data.packed.packing import Packer, record_shape
from memtail_core.data.packed.part_folder import PartFolder
from memtail_core.data.packed.records import Packed
from memtail_core.data.splits import Splits
from memtail_core.settings import settings

_SHARE = 8  # of the free memory: every process that trains has its own copy of what is in memory


def _free() -> int:
    return int(psutil.virtual_memory().available)


@dataclass(frozen=True)
class Storage:
    """How a source's examples are kept on this machine.

    Attributes:
        cache: the folder of parts and of what is known about them.
        packer: packs into it.
        free: tells the bytes of memory that are free.
    """

    cache: Path
    packer: Packer
    free: Callable[[], int] = _free

    @classmethod
    def here(cls) -> "Storage":
        """As the settings say; packing is done in threads."""
        own = settings()
        cache = own.cache.expanduser()
        folder = PartFolder(cache / "parts", own.cache_bytes)
        return cls(cache, Packer(folder, cache / "notes", os.cpu_count() or 1))

    def decoded(self, found: Undecoded, how: str) -> Splits:
        """Decode images into memory or into parts.

        Args:
            found: the images.
            how: "memory", "packed", or "auto": memory if they fit with room.

        Raises:
            DatasetError: what is wrong with the images.
            MachineError: the disk, or the cache, cannot hold the parts.
        """
        is_packed = how == "packed" or (how == "auto" and not self._fits(found))
        return found.splits(self.packer.images) if is_packed else found.splits()

    def packed(self, splits: Splits) -> Splits:
        """Pack examples that are arrays, which were checked."""
        if isinstance(splits.x_train, Packed):
            return splits
        train = as_examples(splits.x_train)
        both = [self.packer.array(train)]
        if splits.x_test is not None:
            both.append(self.packer.array(as_examples(splits.x_test)))
        train, *test = self.packer.joined(both)
        return replace(splits, x_train=train, x_test=test[0] if test else None)

    def _fits(self, found: Undecoded) -> bool:
        height, width, channels = record_shape(found.given.files[:1], found.size)
        need = len(found.given.files) * height * width * channels
        return need <= self.free() // _SHARE
