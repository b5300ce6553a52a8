"""What a source returns, and how memtail draws a test set from it or limits its size.

A constant seeds these draws, not the study's seed: the same source gives the same data in every
study. Draws are stratified: every class keeps its share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import NO_ACCOUNT, Account
from memtail_core.data.examples import Examples
from memtail_core.data.wording import counted
from memtail_core.errors import DatasetError
from memtail_core.study import UNLABELLED, TokensTable

NO_LABEL = ""
"""What the option ``label`` of a source is where texts have no label, for language modelling."""

NEEDS_TEXT = (
    '[dataset] text is missing: task = "language-modelling" needs the column of texts, or text = '
    "true of a folder"
)

_SPLIT, _TRAIN_LIMIT, _TEST_LIMIT = 1, 2, 3  # one random stream per purpose


@dataclass(frozen=True)
class Splits:
    """Arrays as a source read them; :meth:`Dataset.from_arrays` says which it accepts."""

    x_train: Any
    y_train: Any  # None: the source has no labels
    x_test: Any = None
    y_test: Any = None
    classes: Sequence[str] | None = None
    train_names: Sequence[str] = ()
    test_names: Sequence[str] = ()
    features: Sequence[str] = ()
    modality: str | None = None  # a name of MODALITIES; None: what the arrays look like
    account: Account = NO_ACCOUNT
    tokens: TokensTable | None = None  # how texts become tokens


class Unread(Protocol):
    """Examples that a source has found and not read yet: :class:`.Undecoded` images."""

    def splits(self) -> Splits:
        """Read them into memory."""
        ...


Source = Callable[..., Splits | Unread]  # (argument, /, *, option=default, …)


def without_labels(splits: Splits) -> Splits:
    """Return the same examples as documents of one class, whatever labels they had.

    Raises:
        DatasetError: there are no examples.
    """
    if splits.x_train is None:
        raise DatasetError("x_train is missing")
    n_test = 0 if splits.x_test is None else len(splits.x_test)
    return replace(
        splits,
        y_train=np.zeros(len(splits.x_train), np.int64),
        y_test=np.zeros(n_test, np.int64) if n_test else None,
        classes=UNLABELLED,
    )


def taken(x: Any, rows: NDArray[np.int64] | slice) -> Any:
    """Return some rows of an array or of :class:`.Examples`, in this order."""
    if not isinstance(x, Examples):
        return x[rows]
    return x.selected(np.arange(len(x))[rows] if isinstance(rows, slice) else rows)


def split(
    splits: Splits, test_fraction: float, train_limit: int | None, test_limit: int | None
) -> Splits:
    """Draw a test set where there is none, then reduce both sets to the limits, in order.

    Args:
        splits: with checked arrays.
        test_fraction: of the examples, drawn as a test set where the source has none.
        train_limit, test_limit: the most examples to keep; None keeps all.

    Returns:
        Splits in which examples that moved have their index in the source as their name.

    Raises:
        DatasetError: too few examples are left.
    """
    is_limited = train_limit is not None and train_limit < len(splits.y_train)
    is_drawn = splits.x_test is None or is_limited
    if splits.x_test is None:
        n = len(splits.y_train)
        if n < 4:
            raise DatasetError(
                f"{counted(n, 'example is', 'examples are')} too few to split a test set from: add "
                "examples, or a test set"
            )
        n_test = min(max(round(test_fraction * n), 1), n - 2)
        drawn = _stratified(splits.y_train, n_test, _SPLIT)
        test = _without_last_of_class(splits.y_train, drawn)
        if not len(test):
            raise DatasetError(
                "no test set can be drawn, since each class has a single example: add a test set"
            )
        account = splits.account
        if n_kept := len(drawn) - len(test):
            said = counted(n_kept, "example is the only one", "examples are the only ones")
            account += Account((f"{said} of a class: left in the training set",))
        train = np.setdiff1d(np.arange(n), test)
        names = _names(splits.train_names, n)
        splits = replace(
            splits,
            x_train=taken(splits.x_train, train),
            y_train=splits.y_train[train],
            x_test=taken(splits.x_train, test),
            y_test=splits.y_train[test],
            train_names=[names[i] for i in train],
            test_names=[names[i] for i in test],
            account=account,
        )
    if is_limited:
        kept = _stratified(splits.y_train, train_limit or 0, _TRAIN_LIMIT)
        names = _names(splits.train_names, len(splits.y_train))
        splits = replace(
            splits,
            x_train=taken(splits.x_train, kept),
            y_train=splits.y_train[kept],
            train_names=[names[i] for i in kept],
        )
    if test_limit is not None and test_limit < len(splits.y_test):
        kept = _stratified(splits.y_test, test_limit, _TEST_LIMIT)
        names = _names(splits.test_names, len(splits.y_test))
        splits = replace(
            splits,
            x_test=taken(splits.x_test, kept),
            y_test=splits.y_test[kept],
            test_names=[names[i] for i in kept],
        )
    lost = np.setdiff1d(splits.y_test, splits.y_train)
    if len(lost) and is_drawn:
        name = lost[0] if splits.classes is None else splits.classes[int(lost[0])]
        raise DatasetError(
            f"no training example is left of the class {name}: it has too few examples for this "
            "train_limit or test_fraction"
        )
    return splits


def _without_last_of_class(y: NDArray[Any], test: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out of a test set the first example of each class that has all its examples in it."""
    lost = np.setdiff1d(y, np.delete(y, test))
    first = np.unique(y[test], return_index=True)[1]
    return np.delete(test, first[np.isin(y[test[first]], lost)])


def _names(names: Sequence[str], n: int) -> Sequence[str]:
    """Return the names, or the indices where there are none."""
    return names if len(names) else [str(i) for i in range(n)]


def _stratified(y: NDArray[Any], size: int, purpose: int) -> NDArray[np.int64]:
    """Draw ``size`` indices of ``y`` so that every class keeps its share; return them sorted."""
    rng = np.random.default_rng(np.random.SeedSequence([purpose, len(y), size]))
    shuffled = rng.permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    offset = rng.random()
    picks = np.floor((np.arange(size) + offset) * (len(y) / size)).astype(np.int64)
    return np.sort(by_class[np.minimum(picks, len(y) - 1)])
