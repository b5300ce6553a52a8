"""Arrays in a file that proves itself: an npz without pickle whose comment ends in its SHA-256.

A signed file has an HMAC before the SHA-256, which covers it too: whoever does not have the key can
still see that the file is whole.
"""

import hashlib
import hmac
import io
import math
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DamagedError

_DIGEST_LENGTH = 64

Arrays = dict[str, NDArray[Any]]


def packed(arrays: Mapping[str, NDArray[Any]], key: bytes | None = None) -> bytes:
    """Encode arrays by name, signed if there is a key; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    n_digests = 1 if key is None else 2
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"0" * (n_digests * _DIGEST_LENGTH)
    buffer.seek(-n_digests * _DIGEST_LENGTH, io.SEEK_END)
    if key is not None:  # without copies, of what may be a gigabyte
        with buffer.getbuffer()[: buffer.tell()] as content:
            signature = _signature(content, key)
        buffer.write(signature)
    with buffer.getbuffer()[: buffer.tell()] as content:
        digest = hashlib.sha256(content).hexdigest()
    buffer.write(digest.encode())
    return buffer.getvalue()


def unpacked(content: bytes, key: bytes | None = None) -> Arrays:
    """Decode and verify :func:`packed`.

    Args:
        content: of the file.
        key: that it must be signed with; None: any file, signed or not.

    Raises:
        DamagedError: it was cut short, altered, is not signed with the key, or is something else.
    """
    body, digest = memoryview(content)[:-_DIGEST_LENGTH], content[-_DIGEST_LENGTH:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise DamagedError("its SHA-256 does not match: it was cut short or altered")
    signature = bytes(body[-_DIGEST_LENGTH:])
    if key is not None and not hmac.compare_digest(
        signature, _signature(body[:-_DIGEST_LENGTH], key)
    ):
        raise DamagedError(
            "it is not signed with MEMTAIL_SHARD_KEY: someone without this key stored it"
        )
    try:
        _check_sizes(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except MemoryError:
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds on what is no archive
        raise DamagedError("it holds no arrays, though its SHA-256 matches") from error


def array_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an array in numpy's format: its shape and type, before its bytes.

    Raises:
        ValueError, KeyError: it is no such array.
    """
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(file)]
    shape, _, dtype = read(file)
    return shape, dtype


def _signature(content: memoryview, key: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).hexdigest().encode()


def _check_sizes(content: bytes) -> None:
    """Refuse a small file that says it is huge: compressed, or with shapes beyond its bytes.

    Raises:
        ValueError: it is not what :func:`packed` makes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > len(content):
                raise ValueError(f"{member.filename} is compressed")
            with archive.open(member) as file:
                shape, dtype = array_header(file)
                if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
                    raise ValueError(f"{member.filename} has another size than it says")
