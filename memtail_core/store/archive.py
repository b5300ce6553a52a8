"""Arrays in a file that proves itself: an npz without pickle whose comment is its SHA-256."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DamagedError

_DIGEST_LENGTH = 64

Arrays = dict[str, NDArray[Any]]


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode arrays by name; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"0" * _DIGEST_LENGTH
    content = buffer.getvalue()[:-_DIGEST_LENGTH]
    return content + hashlib.sha256(content).hexdigest().encode()


def unpacked(content: bytes) -> Arrays:
    """Decode and verify :func:`packed`.

    Raises:
        DamagedError: it was cut short, altered, or is something else.
    """
    body, digest = content[:-_DIGEST_LENGTH], content[-_DIGEST_LENGTH:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise DamagedError("its SHA-256 does not match: it was cut short or altered")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise DamagedError("it holds no arrays, though its SHA-256 matches") from error
