"""Write a stored study in the format of another project."""

import shutil
from collections.abc import Callable
from pathlib import Path

from memtail_core.analysis.analysis import refuse_experiments
from memtail_core.errors import StoreError
from memtail_core.exchange.format import Format
from memtail_core.exchange.stored import StoredStudy


def export(study: StoredStudy, format_: Format, folder: Path) -> list[str]:
    """Write all stored trials into a new or empty folder; return the names of its files.

    The folder appears when it is whole: an interrupted export leaves none.

    Raises:
        EstimationError: the study does not have what the format needs.
        StoreError: the folder is not empty, cannot be written, or a shard is damaged.
    """
    assert format_.write is not None
    refuse_experiments(study.study)
    write = format_.write
    return in_new_folder(folder, lambda begun: write(study, begun))


def in_new_folder(folder: Path, write: Callable[[Path], object]) -> list[str]:
    """Let ``write`` fill a new or empty folder, which appears when it is whole; name its files.

    Raises:
        StoreError: the folder is not empty, or cannot be written.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise StoreError(f"'{folder}' is there and not empty: choose another --output")
    begun = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        write(begun)
        if folder.exists():
            folder.rmdir()
        begun.rename(folder)
    except OSError as error:
        raise StoreError(f"cannot write '{folder}': {error.strerror or error}") from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(files)
