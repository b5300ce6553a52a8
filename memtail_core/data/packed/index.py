"""What the parts of a packed dataset hold: labels, names, and which record each example is.

An index is one small file that proves itself. With the parts, which prove themselves by their
names, it is a dataset: in a folder that ``memtail pack`` wrote, or in a store.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import NO_ACCOUNT, Account
from memtail_core.data.packed.records import Packed, Part, Records
from memtail_core.data.splits import Splits
from memtail_core.errors import DamagedError
from memtail_core.store import archive
from memtail_core.store.document import document

INDEX, PARTS = "index.npz", "parts"  # in a folder that ``memtail pack`` wrote

_FORMAT = 1
_WORDS = ("classes", "train_names", "test_names", "features", "lines", "warnings")


@dataclass(frozen=True, eq=False)
class Index:
    """A packed dataset without its records.

    Attributes:
        parts: the files, in order.
        shape, dtype: of a record.
        train, test: int64 [n] and [n_test], the record of each example; ``test`` is None where a
            test set is still to be drawn.
        y_train, y_test: labels.
        classes: their names, or None where the labels are their own names.
        train_names, test_names, features, modality, account: as :class:`.Splits` has them.
        sha256, mean, deviation: the digest and the moments of the dataset, where they are known.
    """

    parts: tuple[Part, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    train: NDArray[np.int64]
    y_train: NDArray[Any]
    test: NDArray[np.int64] | None
    y_test: NDArray[Any] | None
    classes: tuple[str, ...] | None
    train_names: tuple[str, ...]
    test_names: tuple[str, ...]
    features: tuple[str, ...]
    modality: str
    account: Account = NO_ACCOUNT
    sha256: str | None = None
    mean: NDArray[np.float64] | None = None
    deviation: NDArray[np.float64] | None = None

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.rows for part in self.parts) * self.record_bytes

    def encode(self) -> bytes:
        """Encode as a file that proves itself."""
        arrays: dict[str, NDArray[Any]] = {
            "about": _text(
                {
                    "format": _FORMAT,
                    "shape": self.shape,
                    "dtype": self.dtype.str,
                    "parts": [[part.sha256, part.rows] for part in self.parts],
                    "modality": self.modality,
                    "has_classes": self.classes is not None,
                    "sha256": self.sha256,
                }
            ),
            "train": self.train,
            "y_train": self.y_train,
        }
        given = {
            "test": self.test,
            "y_test": self.y_test,
            "mean": self.mean,
            "deviation": self.deviation,
        }
        arrays |= {name: array for name, array in given.items() if array is not None}
        for name in _WORDS:
            words = getattr(self.account if name in ("lines", "warnings") else self, name)
            arrays[name] = _text(list(words or ()))
        return archive.packed(arrays)

    @property
    def digest(self) -> str:
        """A digest of the content, made of those of the parts: equal ones hold equal data."""
        bare = replace(self, account=NO_ACCOUNT, sha256=None, mean=None, deviation=None)
        return hashlib.sha256(bare.encode()).hexdigest()

    @classmethod
    def decode(cls, content: bytes) -> "Index":
        """Decode :meth:`encode`.

        Raises:
            DamagedError: it was altered, or is something else.
        """
        arrays = archive.unpacked(content)
        try:
            about = document(arrays.pop("about").tobytes())
            if about["format"] != _FORMAT:
                raise DamagedError("another version of memtail packed it: pack it again")
            words = {name: tuple(map(str, document(arrays.pop(name).tobytes()))) for name in _WORDS}
            account = Account(words.pop("lines"), words.pop("warnings"))
            classes = words.pop("classes") if about["has_classes"] else None
            words.pop("classes", None)
            read = cls(
                parts=tuple(Part(str(sha256), int(rows)) for sha256, rows in about["parts"]),
                shape=tuple(map(int, about["shape"])),
                dtype=np.dtype(about["dtype"]),
                train=arrays["train"],
                y_train=arrays["y_train"],
                test=arrays.get("test"),
                y_test=arrays.get("y_test"),
                classes=classes,
                **words,
                modality=str(about["modality"]),
                account=account,
                sha256=about["sha256"],
                mean=arrays.get("mean"),
                deviation=arrays.get("deviation"),
            )
            read._check()
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedError("it is no index of a packed dataset") from error
        return read

    def _check(self) -> None:
        """Raise ValueError if a row is not there, or a part's name is none."""
        n = sum(part.rows for part in self.parts)
        for rows in (self.train, self.test):
            if rows is not None and rows.size and not 0 <= rows.min() <= rows.max() < n:
                raise ValueError("a record that is not there")
        for part in self.parts:
            if len(part.sha256) != 64 or set(part.sha256) - set("0123456789abcdef"):
                raise ValueError("a part without a digest")
            if part.rows < 1:
                raise ValueError("an empty part")

    def examples(self, folder: Path) -> tuple[Packed, Packed | None]:
        """Map the parts in a folder; return the training and the test examples.

        Raises:
            DatasetError: a part is missing or has another length.
        """
        records = Records(folder, self.parts, self.shape, self.dtype)
        test = None if self.test is None else Packed(records, self.test)
        return Packed(records, self.train), test

    @classmethod
    def of(cls, splits: Splits, modality: str) -> "Index":
        """The index of splits whose examples are packed, with their labels as arrays."""
        train, test = splits.x_train, splits.x_test
        assert isinstance(train, Packed)
        return cls(
            train.records.parts,
            train.shape,
            train.dtype,
            train.rows,
            np.asarray(splits.y_train),
            None if test is None else test.rows,
            None if test is None else np.asarray(splits.y_test),
            None if splits.classes is None else tuple(map(str, splits.classes)),
            tuple(splits.train_names),
            tuple(splits.test_names),
            tuple(splits.features),
            modality,
            splits.account,
        )

    def splits(self, folder: Path) -> Splits:
        """The same as a source returns it."""
        train, test = self.examples(folder)
        return Splits(
            *(train, self.y_train, test, self.y_test),
            *(self.classes, self.train_names, self.test_names, self.features),
            self.modality,
            self.account,
        )


def _text(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), np.uint8)
