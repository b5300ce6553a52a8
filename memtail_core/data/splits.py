"""What a source returns, and how a test set or a limit is drawn where there is none.

Draws are seeded by a constant, not by the study's seed: the same source is the same data in every
study. They are stratified: every class keeps its share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DatasetError

_SPLIT, _TRAIN_LIMIT, _TEST_LIMIT = 1, 2, 3  # one random stream per purpose


@dataclass(frozen=True)
class Splits:
    """Arrays as a source read them; :meth:`Dataset.from_arrays` says what they may be."""

    x_train: Any
    y_train: Any
    x_test: Any = None
    y_test: Any = None
    classes: Sequence[str] | None = None
    train_names: Sequence[str] = ()
    test_names: Sequence[str] = ()
    features: Sequence[str] = ()


Source = Callable[..., Splits]  # (argument, /, *, option=default, …)


def split(
    splits: Splits, test_fraction: float, train_limit: int | None, test_limit: int | None
) -> Splits:
    """Draw a test set where there is none, then keep at most the limits; order is kept.

    ``splits`` holds checked arrays. Examples that move keep their index in the source as their
    name.
    """
    is_limited = train_limit is not None and train_limit < len(splits.y_train)
    is_drawn = splits.x_test is None or is_limited
    if splits.x_test is None:
        n = len(splits.y_train)
        if n < 4:
            raise DatasetError(f"{n} examples are too few to split a test set from")
        n_test = min(max(round(test_fraction * n), 1), n - 2)
        test = _stratified(splits.y_train, n_test, _SPLIT)
        train = np.setdiff1d(np.arange(n), test)
        names = _names(splits.train_names, n)
        splits = replace(
            splits,
            x_train=splits.x_train[train],
            y_train=splits.y_train[train],
            x_test=splits.x_train[test],
            y_test=splits.y_train[test],
            train_names=[names[i] for i in train],
            test_names=[names[i] for i in test],
        )
    if is_limited:
        kept = _stratified(splits.y_train, train_limit or 0, _TRAIN_LIMIT)
        names = _names(splits.train_names, len(splits.y_train))
        splits = replace(
            splits,
            x_train=splits.x_train[kept],
            y_train=splits.y_train[kept],
            train_names=[names[i] for i in kept],
        )
    if test_limit is not None and test_limit < len(splits.y_test):
        kept = _stratified(splits.y_test, test_limit, _TEST_LIMIT)
        names = _names(splits.test_names, len(splits.y_test))
        splits = replace(
            splits,
            x_test=splits.x_test[kept],
            y_test=splits.y_test[kept],
            test_names=[names[i] for i in kept],
        )
    gone = np.setdiff1d(splits.y_test, splits.y_train)
    if len(gone) and is_drawn:
        name = gone[0] if splits.classes is None else splits.classes[int(gone[0])]
        raise DatasetError(
            f"no training example is left of the class {name}: it has too few examples for this "
            "train_limit or test_fraction"
        )
    return splits


def _names(names: Sequence[str], n: int) -> Sequence[str]:
    """The names there are, or the indices for names."""
    return names if len(names) else [str(i) for i in range(n)]


def _stratified(y: NDArray[Any], size: int, purpose: int) -> NDArray[np.int64]:
    """Draw ``size`` of the indices of ``y``, sorted, every class in its share (systematically)."""
    rng = np.random.default_rng(np.random.SeedSequence([purpose, len(y), size]))
    shuffled = rng.permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    offset = rng.random()
    picks = np.floor((np.arange(size) + offset) * (len(y) / size)).astype(np.int64)
    return np.sort(by_class[np.minimum(picks, len(y) - 1)])
