"""What a column is: numbers, words or dates, or no feature at all."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.sources.table.options import Kind

_UNNAMED = re.compile(r"\s*|Unnamed: \d+(\.\d+)*(_level_\d+)?|__index_level_\d+__")


@dataclass(frozen=True)
class Column:
    """One column of the training and the test table, read.

    Attributes:
        values: [n], numbers (dates too), or for words int64 codes into ``words``; where one is
            missing it means nothing.
        is_missing: bool [n].
        words: the different words, sorted; empty for numbers.
        note: how it was read, where that is not plain.
        warning: what may be a mistake, or nothing.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    is_missing: NDArray[np.bool_]
    words: tuple[str, ...] = ()
    note: str = ""
    warning: str = ""

    def only(self, is_kept: NDArray[np.bool_]) -> "Column":
        """The same for some rows."""
        return replace(self, values=self.values[is_kept], is_missing=self.is_missing[is_kept])


@dataclass(frozen=True)
class LeftOut:
    """A column that is no feature, and why."""

    name: str
    why: str


def is_unnamed(name: str) -> bool:
    """Whether a column has no name, or one that pandas gives to those without."""
    return _UNNAMED.fullmatch(name) is not None
