"""``hf:``: a folder of a Hugging Face dataset, as ``save_to_disk`` or a repository has it.

:mod:`.splits` finds the files of each split, :mod:`.reading` reads them, with pyarrow alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from memtail_core.data.image_files.labelled import Broken, Undecoded
from memtail_core.data.sources.hugging_face.reading import SplitTable, read
from memtail_core.data.sources.hugging_face.splits import found, test_split
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.images import ImageColumn, load_images
from memtail_core.data.sources.table.options import Kind, Missing, Options
from memtail_core.data.sources.table.reading import load as load_table
from memtail_core.data.sources.table.texts import TextColumns, TextOption, load_texts
from memtail_core.data.splits import NEEDS_TEXT, NO_LABEL, Splits
from memtail_core.data.wording import some
from memtail_core.errors import DatasetError, StudyError, did_you_mean


def load(
    folder: str,
    /,
    *,
    label: str | None = None,
    image: str | None = None,
    text: TextOption | None = None,
    train: str = "train",
    test: str | None = None,
    ignore: list[str] | None = None,
    types: dict[str, Kind] | None = None,
    missing: Missing = "error",
    size: int | None = None,
    broken: Broken = "error",
) -> Splits | Undecoded:
    """Read the dataset in ``folder``.

    Args:
        folder: with ``dataset_dict.json`` or ``dataset_info.json``, or with Parquet files.
        label: the column of labels; by default the only ClassLabel. ``NO_LABEL`` of texts without.
        image: the column of images; by default the only one. Without any, columns are features.
        text: the column of texts, or two of them; then no column is a feature.
        train: the split to train on.
        test: the split to test on; by default "test" or else "validation", where there is one.
        ignore, types, missing: of features, as for ``parquet:``.
        size, broken: of images, as for ``folder:``.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the folder.
    """
    splits = found(folder)
    test = test or test_split(splits, but=train)
    names = [name for name in (train, test) if name]
    for name in names:
        if name not in splits:
            raise DatasetError(
                f"'{folder}' has no split '{name}'{did_you_mean(name, list(splits))}: it has "
                f"{some(splits, 10)}"
            )
    tables = {name: read(folder, name, splits[name]) for name in names}
    options = Options(ignore or (), missing=missing, types=types)
    return load_splits(tables, train, label, test, text, ImageColumn(image, size, broken), options)


def load_splits(
    tables: Mapping[str, SplitTable],
    train: str,
    label: str | None,
    test: str | None,
    text: TextOption | None,
    images: ImageColumn,
    options: Options,
) -> Splits | Undecoded:
    """Read splits whose features say which columns hold labels and images.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the splits.
    """
    first = tables[train]
    texts = TextColumns.of(text)
    if label == NO_LABEL and not texts.names:
        raise StudyError(NEEDS_TEXT)
    label = _only("label", first.labels, first) if label is None else label
    if texts.names and images.name is not None:
        raise StudyError("[dataset] text and image: an example is one of them")
    if images.name is None and first.images and not texts.names:
        images = replace(images, name=_only("image", first.images, first))
    images.check(options)

    def of_split(name: str, faults: Faults) -> File:
        return tables[name].file

    if texts.names:
        return load_texts(of_split, train, label, test, texts, options)
    if images.name is None:
        return load_table(of_split, train, label, test, options)
    return load_images(of_split, train, label, test, images, options)


def _only(option: str, columns: Sequence[str], split: SplitTable) -> str:
    """The column to take where the study names none."""
    if len(columns) == 1:
        return columns[0]
    which = some(columns or split.file.table.column_names, 10)
    raise DatasetError(f"'{split.file.path}': set [dataset] {option} to one of {which}")
