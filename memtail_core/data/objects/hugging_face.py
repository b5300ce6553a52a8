"""``from_huggingface``: datasets of the library ``datasets``, in memory or in its cache.

The library itself is not imported: whoever has such an object has imported it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from memtail_core import data
from memtail_core.data.dataset import Dataset
from memtail_core.data.image_files.labelled import Broken
from memtail_core.data.sources.hugging_face import load_splits
from memtail_core.data.sources.hugging_face.reading import SplitTable, of_table
from memtail_core.data.sources.hugging_face.splits import test_split
from memtail_core.data.sources.table.images import ImageColumn
from memtail_core.data.sources.table.options import Kind, Missing, Options
from memtail_core.data.sources.table.texts import TextOption
from memtail_core.data.wording import some
from memtail_core.errors import DatasetError, did_you_mean


def from_huggingface(
    dataset: Any,
    *,
    label: str | None = None,
    image: str | None = None,
    text: TextOption | None = None,
    train: str = "train",
    test: str | None = None,
    ignore: Sequence[str] = (),
    types: Mapping[str, Kind] | None = None,
    missing: Missing = "error",
    size: int | None = None,
    broken: Broken = "error",
    test_fraction: float = 0.2,
) -> Dataset:
    """Make a dataset of a ``DatasetDict``, or of one ``Dataset``, of Hugging Face's library.

    Transforms and formats that were set on it do not count: the stored columns are read.

    Args:
        dataset: the splits by name, or one of them: then the test set is drawn.
        label: the column of labels; by default the only ClassLabel.
        image: the column of images; by default the only one. Without any, columns are features.
        text: the column of texts, or two of them; then no column is a feature.
        train: the split to train on.
        test: the split to test on; by default "test" or else "validation", where there is one.
        ignore, types, missing: of features, as for :func:`from_pandas`.
        size, broken: of images, as for ``folder:``.
        test_fraction: of the examples of each class, the test set where there is no split for it.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the splits.
    """
    splits = dataset if isinstance(dataset, Mapping) else {train: dataset}
    test = test or test_split(splits, but=train)
    for name in (each for each in (train, test) if each):
        if name not in splits:
            raise DatasetError(
                f"the dataset has no split '{name}'{did_you_mean(name, list(splits))}: it has "
                f"{some(splits, 10)}"
            )
    tables = {name: _table(name, splits[name]) for name in (train, test) if name}
    options = Options(tuple(ignore), missing=missing, types=types)
    images = ImageColumn(image, size, broken)
    found = load_splits(tables, train, label, test, text, images, options)
    return data.given(found, test_fraction)


def _table(name: str, split: Any) -> SplitTable:
    """One split's columns as they are stored, in the order of its rows."""
    if not hasattr(split, "with_format") or not hasattr(split, "features"):
        raise DatasetError(f"'{name}' is a {type(split).__name__}: give a Dataset of Hugging Face")
    if not hasattr(split, "__len__"):
        raise DatasetError(f"'{name}' is streamed: load it without streaming=True")
    classes = {
        column: [str(each) for each in feature.names]
        for column, feature in split.features.items()
        if hasattr(feature, "names") and hasattr(feature, "str2int")  # a ClassLabel
    }
    return of_table(name, split.with_format("arrow")[:], classes)
