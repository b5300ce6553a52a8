"""Arrays in a folder that zarr wrote; zarr is needed only here (``pip install 'memtail[zarr]'``).

What compresses an array is named in its metadata, and one of zarr's codecs unpickles, which would
run what it reads. So the metadata are read first, and only codecs of this list are used.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from memtail_core.errors import EstimationError
from memtail_core.experiments.judge.sources import Source
from memtail_core.store.document import document

_METADATA = (".zarray", "zarr.json")
_CODECS = {
    "bitround", "blosc", "bytes", "bz2", "crc32c", "delta", "fixedscaleoffset", "gzip", "lz4",
    "lzma", "sharding_indexed", "shuffle", "transpose", "vlen-utf8", "zlib", "zstd",
}  # fmt: skip


def opened(folder: Path) -> dict[str, Source]:
    """Open an array, as ``scores``, or the arrays of a group by name, with the attributes of it.

    Raises:
        EstimationError: zarr is not installed, or the folder is not readable or not safe to read.
    """
    try:
        import zarr
    except ImportError as error:
        raise EstimationError(
            f"'{folder}' needs zarr to be read: pip install 'memtail[zarr]'"
        ) from error
    if not folder.is_dir():
        raise EstimationError(f"cannot read the scores '{folder}': there is no such folder")
    for codec in _codecs(folder):
        if codec not in _CODECS:
            raise EstimationError(
                f"'{folder}' is encoded by '{codec}', which memtail does not read: write it with "
                "zarr's default compression"
            )
    try:
        node: Any = zarr.open(str(folder), mode="r", use_consolidated=False)
        if isinstance(node, zarr.Array):
            return {"scores": node, **_attributes(node)}
        return {**_attributes(node), **dict(node.arrays())}
    except Exception as error:  # zarr raises a dozen kinds on what is none of its
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise EstimationError(f"cannot read the scores '{folder}': {reason[0]}") from error


def _attributes(node: Any) -> dict[str, Source]:
    return {name: np.asarray(value) for name, value in node.attrs.asdict().items()}


def _codecs(folder: Path) -> Iterator[str]:
    """Yield the names of all codecs in the metadata of a folder.

    Raises:
        EstimationError: metadata are not readable.
    """
    for file in sorted(each for name in _METADATA for each in folder.rglob(name)):
        try:
            metadata = document(file.read_bytes())
        except (OSError, ValueError) as error:
            raise EstimationError(
                f"cannot read the scores '{folder}': {file.name} is damaged"
            ) from error
        yield from _named(metadata)


def _named(metadata: Any) -> Iterator[str]:
    """Yield each ``id`` (format 2) and ``name`` (format 3) of a codec, however deep."""
    if not isinstance(metadata, dict):
        return
    for key in ("compressor", "filters", "codecs", "index_codecs"):
        several = metadata.get(key) or []
        for codec in several if isinstance(several, list) else [several]:
            if isinstance(codec, dict):
                yield str(codec.get("id", codec.get("name")))
                yield from _named(codec.get("configuration"))
            else:
                yield str(codec)
