"""Arrays in files, mapped where they are and never unpickled: they may be larger than memory."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Examples
from memtail_core.errors import DatasetError

_LOCAL_HEADER = 30  # bytes of a zip member before its name
_DAMAGED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, SyntaxError)


def npy(path: Path) -> NDArray[Any]:
    """Map the array of an .npy file.

    Raises:
        DatasetError: there is none, or it is cut short, damaged, or holds Python objects.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        raise _unreadable(path, error) from error
    if not isinstance(array, np.ndarray):
        raise DatasetError(f"'{path}' is not an .npy file")
    return array


def npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file by name; matrices that are not compressed are mapped.

    Raises:
        DatasetError: the file is cut short, damaged, or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as loaded:
            return {
                member.filename.removesuffix(".npy"): _mapped(path, archive, member)
                if member.compress_type == zipfile.ZIP_STORED
                else loaded[member.filename.removesuffix(".npy")]
                for member in archive.infolist()
            }
    except (*_DAMAGED, zipfile.error) as error:
        raise _unreadable(path, error) from error


def member(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Any:
    """Open an array of an .npz file to be written row by row."""
    file = archive.open(f"{name}.npy", "w", force_zip64=True)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, header)
    return file


def write_rows(archive: zipfile.ZipFile, name: str, examples: Examples) -> None:
    """Write examples as an array of an .npz file, chunk by chunk."""
    with member(archive, name, examples.dtype, (len(examples), *examples.shape)) as file:
        for chunk in examples.chunks():
            file.write(np.ascontiguousarray(chunk).data)


def _mapped(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, dtype = read(file)
        offset = file.tell()
    if dtype.hasobject:
        raise ValueError(f"{member.filename} holds Python objects")
    if not shape or 0 in shape:
        with archive.open(member) as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    with path.open("rb") as raw:
        raw.seek(member.header_offset)
        local = raw.read(_LOCAL_HEADER)
    names = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    start = member.header_offset + _LOCAL_HEADER + names + offset
    return np.memmap(path, dtype, "r", start, shape, order="F" if is_fortran else "C")


def _unreadable(path: Path, error: Exception) -> DatasetError:
    if isinstance(error, FileNotFoundError):
        return DatasetError(f"there is no file '{path}'")
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "allow_pickle" in reason or "Python objects" in reason:
        return DatasetError(f"'{path}' holds Python objects: save plain arrays")
    return DatasetError(f"'{path}' is cut short or damaged, or no file of arrays: {reason}")
