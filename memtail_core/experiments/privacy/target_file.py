"""A model from outside, by what it says of the study's examples: one .npz file.

margins        float [n]          log p_y − log(1 − p_y) of each training example of the study; or
logits         float [n, C]       what the model gives each class
test_margins   float [n_test]     the same of the test examples, or test_logits [n_test, C];
                                  RMIA needs them
members        bool [n]           which examples it was trained on, if somebody knows
drawn          "coins"            each membership was decided by an independent fair coin, or
               "subset"           the members are a uniformly random subset; if neither is so,
                                  leave it out
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.errors import DatasetError, did_you_mean

Floats = NDArray[np.float64]

_LIMIT = 100.0  # as the study's own margins are cut
_KEYS = ("margins", "logits", "test_margins", "test_logits", "members", "drawn")
_DRAWN = ("coins", "subset")


@dataclass(frozen=True, eq=False)
class GivenTarget:
    """A model from outside.

    Attributes:
        file: the name of the file.
        margins: float64 [n], of the training examples of the study.
        test_margins: float64 [n_test]; None where nobody gave them.
        members: bool [n], what it was trained on; None where nobody knows.
        drawn: how chance decided that; None where it did not, or nobody knows.
    """

    file: str
    margins: Floats
    test_margins: Floats | None
    members: NDArray[np.bool_] | None
    drawn: Literal["coins", "subset"] | None

    @classmethod
    def read(cls, path: str, dataset: Dataset) -> "GivenTarget":
        """Read and check a file.

        Raises:
            DatasetError: it cannot be read, or is not of the study's examples.
        """
        file = Path(path).expanduser()
        arrays = _arrays(file, path)
        for name in arrays:
            if name not in _KEYS:
                raise DatasetError(f"'{path}': unknown array '{name}'{did_you_mean(name, _KEYS)}")
        margins = _margins(arrays, "", dataset.y_train, path)
        if margins is None:
            raise DatasetError(f"'{path}' holds neither margins [n] nor logits [n, C]")
        members = arrays.get("members")
        if members is not None and (members.dtype != np.bool_ or members.shape != margins.shape):
            raise DatasetError(
                f"'{path}': members are {members.dtype} {list(members.shape)}, bool "
                f"[{len(margins)}] is needed"
            )
        if members is not None and (members.all() or not members.any()):
            raise DatasetError(f"'{path}': members are all examples or none: nothing can be told")
        drawn = None
        if "drawn" in arrays:
            drawn = str(arrays["drawn"])
            if drawn not in _DRAWN:
                raise DatasetError(f"'{path}': drawn = {drawn[:40]!r}: write 'coins' or 'subset'")
        return cls(
            file.name,
            margins,
            _margins(arrays, "test_", dataset.y_test, path),
            members,
            cast('Literal["coins", "subset"] | None', drawn),
        )


def _arrays(file: Path, path: str) -> dict[str, NDArray[Any]]:
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise DatasetError(f"'{path}' is one array: save it with np.savez(file, margins=…)")
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is no .npz file of plain arrays"
        raise DatasetError(f"cannot read '{path}': {reason}") from error


def _margins(
    arrays: Mapping[str, NDArray[Any]], prefix: str, y: NDArray[np.int64], path: str
) -> Floats | None:
    """Return margins of examples with labels y, if they or logits are there."""
    name = next(
        (f"{prefix}{each}" for each in ("margins", "logits") if prefix + each in arrays), ""
    )
    if not name:
        return None
    given = arrays[name]
    is_margin = name.endswith("margins")
    if (
        given.dtype.kind != "f"
        or given.ndim != (1 if is_margin else 2)
        or len(given) != len(y)
        or (not is_margin and given.shape[1] <= int(y.max(initial=0)))
    ):
        needed = f"float [{len(y)}]" if is_margin else f"float [{len(y)}, classes]"
        raise DatasetError(
            f"'{path}': {name} are {given.dtype} {list(given.shape)}, {needed} is needed"
        )
    values = given.astype(np.float64)
    if np.isnan(values).any() or (not is_margin and np.isinf(values).any()):
        raise DatasetError(f"'{path}': {name} of example {int(_first_bad(values))} are not numbers")
    if not is_margin:
        rows = np.arange(len(y))
        own = values[rows, y]
        values[rows, y] = -np.inf
        values = own - np.logaddexp.reduce(values, axis=1)
    return np.clip(values, -_LIMIT, _LIMIT)


def _first_bad(values: Floats) -> np.intp:
    bad = ~np.isfinite(values)
    return np.argmax(bad if bad.ndim == 1 else bad.any(axis=1))
