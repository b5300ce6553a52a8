"""Features: rows of a table, float32 [columns]."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples
from memtail_core.data.modalities.comparison import Comparison, Standardized
from memtail_core.data.modalities.modality import Feed, Modality
from memtail_core.errors import DatasetError

_SMALLEST = 1e-35  # of a column's largest value: beyond, it cannot be standardized in float32
_EXACT = 2**24  # float32 holds all whole numbers up to here


class Features(Modality):
    """Numbers, a column each; a column of words has become one column of 0 and 1 per word."""

    name = "features"
    noun = "rows"
    expected = "features as float32 [n, d]"
    default_recipe = "mlp"
    has_one_unit = False
    is_pictured = False

    def claims(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """One axis of numbers."""
        return len(shape) == 1 and dtype.kind in "fiub"

    def prepare(self, x: NDArray[Any], name: str) -> NDArray[Any]:
        """Make the numbers float32; all must be finite."""
        if x.ndim != 2 or x.dtype.kind not in "fiub":
            raise DatasetError(f"{name} is {x.dtype} {list(x.shape)}: give {self.expected}")
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            row, column = np.argwhere(~np.isfinite(x))[0]
            raise DatasetError(f"{name}[{row}, {column}] is {x[row, column]}: fill or drop it")
        with np.errstate(over="ignore"):
            features = np.ascontiguousarray(x, dtype=np.float32)
        if not np.isfinite(features).all():
            row, column = np.argwhere(~np.isfinite(features))[0]
            raise DatasetError(f"{name}[{row}, {column}] is too large for float32: rescale it")
        _check_distinct(x, features, name)
        return features

    def feed(self, shape: tuple[int, ...]) -> Feed:
        """The columns as they are."""
        return Feed(shape, (0, 1), 1.0)

    def embed(self, x: NDArray[Any], largest_side: int | None = None) -> NDArray[np.float32]:
        """The columns, each a quantity."""
        del largest_side
        return x.astype(np.float32)[:, None]

    def comparison(self) -> Comparison:
        """Rows are compared by their standardized columns."""
        return Standardized(self.embed)

    def pictures(self, examples: Examples) -> Examples:
        """Rows have no pictures."""
        raise NotImplementedError("rows of a table are shown in words")

    def phrases(self, example: NDArray[Any], columns: Sequence[str]) -> Iterator[str]:
        """Every column with its name; of a column of words, the one word: age 37, color=red."""
        if not columns:
            yield from (f"{value:.4g}" for value in example.tolist())
            return
        for name, value in zip(columns, example.tolist(), strict=True):
            if "=" not in name:
                yield f"{name} {value:.4g}"
            elif value != 0:
                yield name if value == 1 else f"{name} {value:.4g}"


def _check_distinct(given: NDArray[Any], features: NDArray[Any], name: str) -> None:
    """Refuse columns whose values float32 cannot tell apart."""
    largest = np.abs(features).max(axis=0, initial=0)
    for column in np.flatnonzero((largest < _SMALLEST) & (given != 0).any(axis=0)):
        raise DatasetError(
            f"{name}[:, {column}] is too small for float32, {np.abs(given[:, column]).max():.3g} "
            "at most: rescale it"
        )
    if given.dtype.itemsize <= 4:
        return
    for column in np.flatnonzero(largest >= _EXACT):
        before, after = (len(np.unique(x[:, column])) for x in (given, features))
        if 2 * after < before:
            raise DatasetError(
                f"{name}[:, {column}] has {before:,} different values, of which float32 keeps only "
                f"{after:,}: subtract the smallest, or drop the column if it is an id"
            )
