"""A bank: trials that someone else trained, read a few at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Splits
from memtail_core.errors import DatasetError

_LIMIT = 100.0  # of a margin, as of memtail's own
OUTCOMES = ("train_correct", "test_correct", "train_margins", "test_margins")
_PART_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Part:
    """k consecutive trials; what a bank does not have is None.

    Attributes:
        subset: bool [k, n], what each trained on.
        train_correct, test_correct: bool [k, n], [k, n_test], what each got right.
        train_margins, test_margins: float16 [k, n], [k, n_test], within ± 100.
    """

    subset: NDArray[np.bool_]
    train_correct: NDArray[np.bool_] | None = None
    test_correct: NDArray[np.bool_] | None = None
    train_margins: NDArray[np.float16] | None = None
    test_margins: NDArray[np.float16] | None = None


@dataclass(frozen=True, eq=False)
class Bank:
    """Trials in the files of another project.

    Attributes:
        origin: the name of the format.
        trials, n, n_test: how many trials, training examples and test examples there are; n_test is
            0 where nothing is known of test examples.
        read: returns the arrays of the trials [first, last) by name, of any dtype: ``subset`` and
            those of ``OUTCOMES`` that there are.
        has_train: whether anything is known of the training examples.
        data: what the files say of the examples, at least their labels; None: nothing.
        notes: what was left out, a sentence each.
    """

    origin: str
    trials: int
    n: int
    n_test: int
    read: Callable[[int, int], dict[str, NDArray[Any]]]
    has_train: bool
    data: Splits | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of_arrays(
        cls,
        origin: str,
        arrays: Mapping[str, NDArray[Any]],
        data: Splits | None = None,
        rows: NDArray[np.intp] | None = None,
        notes: tuple[str, ...] = (),
    ) -> "Bank":
        """Return the bank of matrices with a row for each model: ``subset``, some of ``OUTCOMES``.

        Args:
            origin, data, notes: as above.
            arrays: by name; they may be mapped files.
            rows: which of the models count, if not all.

        Raises:
            DatasetError: their shapes do not fit each other.
        """
        first = {"train": "subset"}
        for name, array in arrays.items():
            of = "test" if name.startswith("test") else "train"
            like = first.setdefault(of, name)
            shape, expected = list(array.shape), list(arrays[like].shape)
            if array.ndim != 2 or len(array) != len(arrays["subset"]):
                subset = list(arrays["subset"].shape)
                raise DatasetError(
                    f"{name} has the shape {shape}, and subset {subset}: both need a row for each "
                    "model"
                )
            if shape != expected:
                raise DatasetError(
                    f"{name} has the shape {shape}, and {like} {expected}: both are of the same "
                    "examples"
                )

        def read(start: int, end: int) -> dict[str, NDArray[Any]]:
            chosen = slice(start, end) if rows is None else rows[start:end]
            return {name: np.asarray(array[chosen]) for name, array in arrays.items()}

        return cls(
            origin,
            len(arrays["subset"]) if rows is None else len(rows),
            arrays["subset"].shape[1],
            arrays[first["test"]].shape[1] if "test" in first else 0,
            read,
            any(name.startswith("train") for name in arrays),
            data,
            notes,
        )

    @property
    def trial_bytes(self) -> int:
        """Bytes of what is kept of one trial, at most."""
        return 2 * (self.n + self.n_test) + (2 * self.n + self.n_test + 7) // 8

    def at_once(self) -> int:
        """How many trials to read at once: 64 MiB, or one."""
        return max(1, _PART_BYTES // (4 * self.trial_bytes))

    def part(self, first: int, last: int) -> Part:
        """Read the trials [first, last) and check them.

        Where no correctness is given, an example is right if its margin is above 0.

        Raises:
            DatasetError: the shape or type of an array is wrong, or a margin is missing.
        """
        given = self.read(first, last)
        k = last - first
        found: dict[str, Any] = {"subset": _bits(given["subset"], "subset", first, (k, self.n))}
        for name in OUTCOMES:
            if name in given:
                shape = (k, self.n if name.startswith("train") else self.n_test)
                check = _bits if name.endswith("correct") else _margins
                found[name] = check(given[name], name, first, shape)
        for of in ("train", "test"):
            if f"{of}_margins" in found and f"{of}_correct" not in found:
                found[f"{of}_correct"] = found[f"{of}_margins"] > 0
        return Part(**found)

    def parts(self, step: int) -> Iterator[tuple[int, Part]]:
        """Yield the first trial and the part of every ``step`` trials."""
        for first in range(0, self.trials, step):
            yield first, self.part(first, min(first + step, self.trials))


def _bits(given: NDArray[Any], name: str, first: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    _check_shape(given, name, shape)
    if given.dtype == np.bool_:
        return given
    is_whole = given.dtype.kind in "iuf"
    wrong = ~np.isin(given, (0, 1)) if is_whole else np.ones(shape, bool)
    if wrong.any():
        k, i = np.argwhere(wrong)[0]
        raise DatasetError(
            f"{name} has {given[k, i]} for trial {first + k} and {_example(name, i)}: true and "
            "false, or 1 and 0, are needed"
        )
    return given.astype(np.bool_)


def _margins(
    given: NDArray[Any], name: str, first: int, shape: tuple[int, int]
) -> NDArray[np.float16]:
    _check_shape(given, name, shape)
    if given.dtype.kind not in "fiu":
        raise DatasetError(f"{name} holds {given.dtype}, not numbers")
    if (missing := np.isnan(given)).any():
        k, i = np.argwhere(missing)[0]
        raise DatasetError(
            f"{name} has nan for trial {first + k} and {_example(name, i)}: leave that trial out"
        )
    clipped: NDArray[np.float16] = np.clip(given, -_LIMIT, _LIMIT).astype(np.float16)
    return clipped


def _check_shape(given: NDArray[Any], name: str, shape: tuple[int, int]) -> None:
    if given.shape != shape:
        raise DatasetError(
            f"{name} has the shape {list(given.shape)} for {shape[0]} trials: "
            f"{list(shape)} is needed"
        )


def _example(name: str, i: int) -> str:
    return f"{'test' if name.startswith('test') else 'training'} example {i}"
