"""Packs data that are larger than memory on this machine: in processes, on all cores."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from memtail_core import data
from memtail_core.data import Storage
from memtail_core.data.modalities import modality_of
from memtail_core.data.packed.index import INDEX, PARTS, Index
from memtail_core.data.packed.part_folder import PartFolder
from memtail_core.errors import MachineError
from memtail_core.running import machine, processes
from memtail_core.store.files import synced
from memtail_core.study import DatasetTable

Progress = Callable[[int, int], None]  # the images that are packed, and all there are


def storage_here(progress: Progress | None = None, workers: int | None = None) -> Storage:
    """How a study's data are kept here: in memory, or packed in the cache of this machine."""
    here = Storage.here()
    packer = replace(
        here.packer,
        workers=workers or machine.usable_cores(),
        pool=processes.pool,
        progress=progress,
    )
    return replace(here, packer=packer, free=machine.free_memory)


def pack(
    table: DatasetTable,
    output: Path,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Index:
    """Pack what a source has into a folder, which ``packed:`` reads; return its index.

    Args:
        table: the source with its options.
        output: the folder; what an interrupted packing left there is used.
        progress: told how far it is.
        workers: processes; by default one for each core.

    Raises:
        DatasetError: what is wrong with the data.
        MachineError: the disk is full or refuses.
    """
    storage = storage_here(progress, workers)
    parts = PartFolder((output / PARTS).absolute())
    packer = replace(storage.packer, folder=parts, notes=output / "notes")
    splits = data.read(
        table.model_copy(update={"storage": "packed"}), replace(storage, packer=packer)
    )
    of = modality_of(splits.x_train.shape, splits.x_train.dtype)
    name = splits.modality or (of.name if of else "")
    index = Index.of(splits, name)
    try:
        partial = output / f".{INDEX}"
        partial.write_bytes(index.encode())
        partial.replace(output / INDEX)
        synced(output)
    except OSError as error:
        raise MachineError(f"cannot write to '{output}': {error.strerror or error}") from error
    parts.sweep()
    named = {part.sha256 for part in index.parts}
    for file in parts.root.iterdir():  # of an earlier packing
        if file.name not in named and not file.name.startswith("."):
            with suppress(OSError):
                file.unlink()
    return index
