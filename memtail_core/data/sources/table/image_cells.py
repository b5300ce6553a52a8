"""The images that the cells of a table's column hold: bytes, paths of files, or structs of both."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute as pc

from memtail_core.data.image_files.formats import Embedded, ImageFile
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.text import is_text, matching
from memtail_core.errors import did_you_mean


@dataclass(frozen=True)
class ImageCell:
    """An image.

    Attributes:
        file: where it is.
        path: as the table has it; None where it has bytes alone.
    """

    file: ImageFile
    path: str | None = None


def is_images(kind: Any) -> bool:
    """Whether Arrow's type ``kind`` is the struct that Hugging Face keeps images in."""
    return bool(pyarrow.types.is_struct(kind)) and {f.name for f in kind} == {"bytes", "path"}


def image_cells(file: File, column: str, faults: Faults) -> list[ImageCell | None]:
    """Return the image of each row; None where it is missing."""
    own = matching(column, file.table.column_names)
    if own is None:
        hint = did_you_mean(column, file.table.column_names)
        faults.add(f"'{file.path}' has no column '{column}'{hint}")
        return []
    cells = file.table[own]
    kind, types = cells.type, pyarrow.types
    if types.is_dictionary(kind):
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if is_text(kind):
        return [_cell(_path(text), None, file) for text in cells.to_pylist()]
    if types.is_binary(kind) or types.is_large_binary(kind):
        return [
            None if is_null else _cell(None, _reader(cells, row), file)
            for row, is_null in enumerate(cells.is_null().to_pylist())
        ]
    if is_images(kind):
        content = pc.struct_field(cells, "bytes")
        paths = pc.struct_field(cells, "path").to_pylist()
        return [
            _cell(_path(path), None if is_null else _reader(content, row), file)
            for row, (path, is_null) in enumerate(
                zip(paths, content.is_null().to_pylist(), strict=True)
            )
        ]
    faults.add(
        f"the column '{column}' of '{file.path}' is {kind}: images are bytes, the paths of files, "
        "or a struct of both"
    )
    return []


def _path(text: str | None) -> str | None:
    return text.strip() or None if text is not None else None


def _reader(cells: Any, row: int) -> Callable[[], bytes]:
    return lambda: bytes(cells[row].as_py())  # one image at a time becomes an object of Python


def _cell(path: str | None, read: Callable[[], bytes] | None, file: File) -> ImageCell | None:
    if read is not None:
        return ImageCell(Embedded(path or "", read), path)
    if path is None:
        return None
    return ImageCell(str(Path(os.path.expanduser(file.path)).parent / path), path)
