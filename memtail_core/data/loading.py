"""Reads the data of a study: ``load(table)`` turns the table ``[dataset]`` into a Dataset."""

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
import pydantic

from memtail_core.data.account import Account
from memtail_core.data.arrays import plain
from memtail_core.data.checks import check_alike, checked_classes, checked_names, checked_split
from memtail_core.data.dataset import Dataset
from memtail_core.data.image_files.labelled import Undecoded
from memtail_core.data.packed.known import known_of, remember
from memtail_core.data.packed.storage import Storage
from memtail_core.data.sameness import sameness_warnings
from memtail_core.data.sources import SOURCES
from memtail_core.data.splits import NO_LABEL, Splits, split, without_labels
from memtail_core.data.wording import counted, some
from memtail_core.errors import DatasetError, StudyError, did_you_mean
from memtail_core.study import DatasetTable
from memtail_core.study.validation import given_and_expected


def load(what: DatasetTable, storage: Storage | None = None) -> Dataset:
    """Read the data that ``[dataset]`` describes.

    Args:
        what: the table.
        storage: where examples are packed that are not kept in memory; by default as the settings
            say.

    Raises:
        StudyError: an unknown source or option.
        DatasetError: data that are missing or cannot be used.
    """
    storage = Storage.here() if storage is None else storage
    splits = split(read(what, storage), what.test_fraction, what.train_limit, what.test_limit)
    return _inspected(Dataset.from_splits(splits), storage)


def given(found: Splits | Undecoded, test_fraction: float) -> Dataset:
    """Make a dataset of what Python objects hold, as :func:`load` does of a source.

    Args:
        found: arrays, or images that are not decoded yet.
        test_fraction: of the examples, drawn as a test set where there is none, between 0 and 1.

    Raises:
        StudyError: a wrong ``test_fraction``.
        DatasetError: data that cannot be used.
    """
    if not 0 < test_fraction < 1:
        raise StudyError(f"test_fraction = {test_fraction!r}: give a number between 0 and 1")
    storage = Storage.here()
    splits = storage.decoded(found, "auto") if isinstance(found, Undecoded) else found
    splits = split(_checked(plain(splits)), test_fraction, None, None)
    return _inspected(Dataset.from_splits(splits), storage)


def _inspected(dataset: Dataset, storage: Storage) -> Dataset:
    """Say which classes have no training example; warn of examples that are the same."""
    empty = np.setdiff1d(np.arange(len(dataset.classes)), dataset.y_train)
    if len(empty):
        n = counted(len(empty), "class has", "classes have")
        names = some(dataset.classes[each] for each in empty)
        line = f"{n} no training example: {names}"
        dataset = replace(dataset, account=dataset.account + Account((line,)))
    if (known := known_of(dataset, storage.cache)) is not None:
        dataset = replace(dataset, account=dataset.account + Account(warnings=known.warnings))
        remember(dataset, known)
    elif dataset.modality.is_pictured or dataset.texts is not None:
        alike = Account(warnings=tuple(sameness_warnings(dataset)))
        dataset = replace(dataset, account=dataset.account + alike)
    return dataset


def read(what: DatasetTable, storage: Storage) -> Splits:
    """Read and check what the source has, before a test set is drawn; see :func:`load`."""
    kind, _, argument = what.source.partition(":")
    if kind not in SOURCES:
        raise StudyError(
            f"[dataset] source = '{what.source}': unknown kind{did_you_mean(kind, list(SOURCES))}"
        )
    if not argument:
        raise StudyError(f"[dataset] source = '{what.source}': say which, as '{kind}:…'")
    source = pydantic.validate_call(config={"strict": True})(SOURCES[kind])
    options = _options(kind, what)
    try:
        found = source(argument, **options)
        if isinstance(found, Undecoded):
            found = storage.decoded(found, what.storage)
        assert isinstance(found, Splits)
        splits = _checked(plain(found if what.task is None else without_labels(found)))
    except pydantic.ValidationError as error:
        raise StudyError(_sentence(kind, error.errors()[0])) from error
    except MemoryError as error:
        raise DatasetError(f"'{what.source}' does not fit in memory: set train_limit") from error
    splits = replace(splits, tokens=what.tokens or splits.tokens)
    return storage.packed(splits) if what.storage == "packed" else splits


def _options(kind: str, what: DatasetTable) -> dict[str, Any]:
    """The source's options; of documents, which have no label, what says so where it takes one."""
    options = what.options
    if what.task is None:
        if options.get("label") == NO_LABEL:
            raise StudyError('[dataset] label = "": name a column')
        return options
    if "label" in options:
        raise StudyError(
            f'[dataset] label = {options["label"]!r}: with task = "{what.task}" the texts have no '
            "label; leave out one of the two"
        )
    takes_label = "label" in inspect.signature(SOURCES[kind]).parameters
    return options | ({"label": NO_LABEL} if takes_label else {})


def _checked(splits: Splits) -> Splits:
    """Check what a source read before any draw: messages then name rows as the user counts."""
    if splits.y_train is None:
        raise DatasetError(
            "y_train is missing: give labels, or model texts without, with [dataset] task = "
            '"language-modelling"'
        )
    if splits.classes is not None:
        splits = replace(splits, classes=checked_classes(splits.classes))
    x_train, y_train, _ = checked_split(splits.x_train, splits.y_train, "train", splits.modality)
    names = checked_names(splits.train_names, len(x_train), "train_names")
    splits = replace(splits, x_train=x_train, y_train=y_train, train_names=names)
    if splits.x_test is None and splits.y_test is None:
        return splits
    if splits.x_test is None or splits.y_test is None:
        raise DatasetError("the data have only one of 'x_test' and 'y_test': give both or neither")
    x_test, y_test, _ = checked_split(splits.x_test, splits.y_test, "test", splits.modality)
    check_alike(y_train, y_test)
    names = checked_names(splits.test_names, len(x_test), "test_names")
    return replace(splits, x_test=x_test, y_test=y_test, test_names=names)


def _sentence(kind: str, error: Any) -> str:
    option = str(next((part for part in error["loc"] if isinstance(part, str)), error["loc"][0]))
    if error["type"] == "missing_keyword_only_argument":
        return f"[dataset] {option} is missing: '{kind}:' needs it"
    if error["type"] == "unexpected_keyword_argument":
        parameters = inspect.signature(SOURCES[kind]).parameters.values()
        known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        hint = did_you_mean(option, [*known, "train_limit", "test_limit", "test_fraction"])
        return f"[dataset] {option} is not an option of '{kind}:'{hint}"
    return f"[dataset] {option} = {given_and_expected(error)}"
