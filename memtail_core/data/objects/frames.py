"""``from_pandas``: frames of pandas, and of whatever else Arrow reads, as polars."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow

from memtail_core import data
from memtail_core.data.dataset import Dataset
from memtail_core.data.image_files.labelled import Broken
from memtail_core.data.sources.table import load_files, parquet_file
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.images import ImageColumn
from memtail_core.data.sources.table.options import Decimal, Kind, Missing, Options
from memtail_core.data.sources.table.texts import TextOption
from memtail_core.errors import DatasetError


def from_pandas(
    train: Any,
    label: str,
    *,
    test: Any = None,
    ignore: Sequence[str] = (),
    types: Mapping[str, Kind] | None = None,
    missing: Missing = "error",
    na_values: Sequence[str] = (),
    decimal: Decimal | None = None,
    text: TextOption | None = None,
    image: str | None = None,
    size: int | None = None,
    broken: Broken = "error",
    test_fraction: float = 0.2,
) -> Dataset:
    """Make a dataset of frames, as ``parquet:`` does of files.

    Columns of numbers, words and dates become features; ``dataset.account`` says what each became.

    Args:
        train: a frame of pandas or polars, or an Arrow table. An index of its own is left out:
            the examples are counted from 0, in the frame's order.
        label: the column of labels.
        test: another frame, the test set.
        ignore: columns to leave out.
        types: what columns are, as ``{"zip": "words"}``: "number", "words" or "date".
        missing: "error" refuses missing values; "impute" fills them, "category" also marks them in
            a column of their own, "drop" leaves out their rows.
        na_values: words that mean a missing value, besides NaN, None and the like.
        decimal: the decimal sign of numbers that are written as text.
        text: the column that holds texts, or two of them; then other columns are left out.
        image: the column that holds images, as paths or bytes; then other columns are left out.
        size, broken: of images, as for ``folder:``.
        test_fraction: of the examples of each class, the test set where none is given.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the frames, all of it.

    Example:
        >>> import memtail_core as memtail, pyarrow
        >>> ages = [31, 45, 22, 67, 38, 51, 29, 44, 60, 35]
        >>> plans = ["monthly", "yearly"] * 5
        >>> frame = pyarrow.table({"age": ages, "plan": plans, "left": [True, False] * 5})
        >>> dataset = memtail.from_pandas(frame, label="left")
        >>> dataset.features, dataset.classes
        (('age', 'plan=monthly', 'plan=yearly'), ('False', 'True'))
    """
    files = {"train": _file("train", train)}
    if test is not None:
        files["test"] = _file("test", test)

    def read(name: str, _: Faults) -> File:
        return files[name]

    options = Options(tuple(ignore), decimal, tuple(na_values), missing, types)
    images = ImageColumn(image, size, broken)
    other = "test" if test is not None else None
    return data.given(load_files(read, "train", label, other, text, images, options), test_fraction)


def _file(name: str, frame: Any) -> File:
    """A frame as a table that is called ``name``."""
    if not isinstance(frame, pyarrow.Table) and not hasattr(frame, "__arrow_c_stream__"):
        raise DatasetError(
            f"{name} is a {type(frame).__name__}: give a frame of pandas or polars, or an Arrow "
            "table"
        )
    try:
        table = pyarrow.table(frame)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:  # a column of mixed objects
        reason = "; ".join(map(str, error.args)) or type(error).__name__
        raise DatasetError(f"{name} cannot be read as a table: {reason}") from error
    return parquet_file.of_table(name, table)
