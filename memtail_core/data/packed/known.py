"""What was found out about packed data by reading all of it, kept so that it is read once.

Kept by the digest of the index, which is made of the parts' digests, in the cache of this machine.
"""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydantic
from pydantic.dataclasses import dataclass

from memtail_core.data.dataset import Dataset
from memtail_core.data.packed.index import Index
from memtail_core.data.packed.part_folder import check_parts
from memtail_core.data.packed.records import Packed, Part
from memtail_core.data.sameness import sameness_warnings
from memtail_core.data.splits import Splits


@dataclass(frozen=True)
class Known:
    """What reading all of a dataset tells.

    Attributes:
        sha256: of the dataset.
        mean, deviation: its moments; of modalities whose values are numbers.
        warnings: of images that are the same, or of one colour.
    """

    sha256: str
    mean: list[float]
    deviation: list[float]
    warnings: tuple[str, ...] = ()


_AS_JSON = pydantic.TypeAdapter(Known)


def index_of(dataset: Dataset) -> Index | None:
    """The index of a dataset whose examples are packed, with what is known; None of others."""
    train, test = dataset.train, dataset.test
    if not (isinstance(train, Packed) and isinstance(test, Packed)):
        return None
    if train.records is not test.records:
        return None
    splits = Splits(
        *(train, dataset.y_train, test, dataset.y_test),
        *(dataset.classes, dataset.train_names, dataset.test_names, dataset.features),
    )
    return Index.of(splits, dataset.modality.name)


def known_of(dataset: Dataset, cache: Path) -> Known | None:
    """What reading all of a packed dataset tells; None of others.

    It is read once, and what it tells is kept in the folder ``cache``.
    """
    index = index_of(dataset)
    if index is None:
        return None
    file = cache / "known" / f"{index.digest}.json"
    known = _read(file)
    if known is None:
        is_numeric = dataset.feed.divisor is not None
        mean, deviation = dataset.moments if is_numeric else (np.zeros(0), np.zeros(0))
        warnings = sameness_warnings(dataset) if dataset.modality.is_pictured else ()
        known = Known(dataset.sha256, mean.tolist(), deviation.tolist(), tuple(warnings))
        _write(file, _AS_JSON.dump_json(known))
    return known


def remember(dataset: Dataset, known: Known) -> None:
    """Let a dataset know its digest and moments without reading its examples again."""
    vars(dataset)["sha256"] = known.sha256
    if known.mean:
        vars(dataset)["moments"] = np.array(known.mean), np.array(known.deviation)


def check_once(folder: Path, parts: Sequence[Part], name: str, cache: Path) -> None:
    """Compare the digests of parts that others may have copied or changed, once per machine.

    Args:
        folder: where they are.
        parts: which.
        name: of what they are parts of, a digest.
        cache: where to note that they were compared.

    Raises:
        DatasetError: a part is missing or damaged.
    """
    file = cache / "known" / f"{name}.checked"
    now = "".join(_stamps(folder, parts)).encode()
    with suppress(OSError):
        if file.read_bytes() == now:
            return
    check_parts(folder, parts)
    _write(file, now)


def _stamps(folder: Path, parts: Sequence[Part]) -> list[str]:
    stamps = []
    for part in parts:
        with suppress(OSError):  # a missing one is found when it is read
            status = (folder / part.sha256).stat()
            stamps.append(f"{part.sha256} {status.st_size} {status.st_mtime_ns} {folder}\n")
    return stamps


def _read(file: Path) -> Known | None:
    try:
        return _AS_JSON.validate_json(file.read_bytes())
    except (OSError, pydantic.ValidationError):
        return None


def _write(file: Path, content: bytes) -> None:
    """Keep a note; where that fails it is found out again."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        partial.write_bytes(content)
        partial.replace(file)
