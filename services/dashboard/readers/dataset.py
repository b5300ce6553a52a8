"""``python -m services.dashboard.readers.dataset``: an npz file that a client sent, checked."""

import io
import math
import sys
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.data.modalities.text.corpus import ARRAYS as OF_TEXTS
from memtail_core.data.modalities.text.corpus import Texts
from memtail_core.errors import DatasetError
from memtail_core.store.archive import array_header
from services.dashboard.readers.limits import UnreadableError, answer

MOST_WORDS = 2_000_000  # names and labels that are words
NO_NPZ = "the body is not an npz file without pickles: see Dataset.to_npz"

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_NAMES = ("classes", "train_names", "test_names", "features")
_MOST_HEADER = 16 * 2**10  # bytes
_END = b"PK\x05\x06"  # the last 22 bytes of a zip archive begin so, but for a comment
_MOST_COMMENT = 2**16  # bytes


def is_archive(content: bytes) -> bool:
    """Whether ``content`` ends as every zip archive does, and so every npz file."""
    return _END in content[-(22 + _MOST_COMMENT) :]


def received(content: bytes, most: int) -> Dataset:
    """Decode data that a client sent, as :meth:`Dataset.to_npz` writes them; check all of them.

    Each name and each label that is a word becomes an object of a hundred bytes, so they are
    counted before they are read.

    Args:
        content: an npz file.
        most: bytes that it may have when unpacked.

    Raises:
        DatasetError: it is no npz file, holds pickles, or no classifier can be trained on it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
            if sum(each.file_size for each in archive.infolist()) > most:
                raise DatasetError(f"the data have more than {most:,} bytes when unpacked")
            if unknown := sorted(names.keys() - {*_ARRAYS, *_NAMES, "modality", *OF_TEXTS}):
                raise DatasetError(
                    f"the file holds '{unknown[0][:40]}', which is not part of a dataset"
                )
            if missing := [name for name in _ARRAYS if name not in names]:
                raise DatasetError(f"the file lacks '{missing[0]}'")
            n_words = sum(_n_words(archive, each) for each in names.values())
            if n_words > MOST_WORDS:
                raise DatasetError(
                    f"the data have {n_words:,} names and labels that are words: at most "
                    f"{MOST_WORDS:,}"
                )
            parts = {name: _array(archive, each, most) for name, each in names.items()}
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds of errors
        raise DatasetError(NO_NPZ) from error
    classes = parts.get("classes")
    dataset = Dataset.from_arrays(
        *(parts[name] for name in _ARRAYS),
        classes=None if classes is None else classes.tolist(),
        **{name: parts[name].tolist() for name in _NAMES[1:] if name in parts},
        modality=str(parts["modality"]) if "modality" in parts else None,
    )
    return dataset.with_texts(Texts.of_arrays(parts))


def _n_words(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """How many strings an array has, by its header."""
    with archive.open(member) as file:
        shape, dtype = array_header(io.BytesIO(file.read(_MOST_HEADER)))
    return math.prod(shape) if dtype.kind in "SU" else 0


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> NDArray[Any]:
    """Read one array; its header must agree with the number of bytes."""
    with archive.open(member) as file:
        content = file.read(most + 1)
    buffer = io.BytesIO(content)
    shape, dtype = array_header(buffer)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - buffer.tell():
        raise DatasetError("an array in the file does not agree with its header")
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array


def _read(content: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        dataset = received(content, int(sys.argv[3]))
    except DatasetError as error:
        raise UnreadableError(str(error)) from error
    told = {
        "sha256": dataset.sha256,
        "source": f"stored:{dataset.sha256}",
        "kind": dataset.modality.name,
        "examples": len(dataset.y_train),
        "test_examples": len(dataset.y_test),
        "classes": len(dataset.classes),
    }
    return told, dataset.to_npz()


if __name__ == "__main__":
    answer(_read)
