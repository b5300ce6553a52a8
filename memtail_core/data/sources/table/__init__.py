"""``csv:``, ``parquet:`` and ``jsonl:`` tables, one subject a file.

:mod:`.csv_file`, :mod:`.parquet_file` and :mod:`.json_lines_file` read a file, :mod:`.deciding`
says what each column is, :mod:`.labels` what the classes are, :mod:`.missing` and :mod:`.features`
make numbers of them, and :mod:`.account` says what became of every column.
"""

from memtail_core.data.image_files.labelled import Broken, Undecoded
from memtail_core.data.sources.table import csv_file, json_lines_file, parquet_file
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import File
from memtail_core.data.sources.table.images import ImageColumn, load_images
from memtail_core.data.sources.table.options import Decimal, Kind, Missing, Options
from memtail_core.data.sources.table.reading import Read, load
from memtail_core.data.sources.table.text import nfc
from memtail_core.data.sources.table.texts import TextColumns, TextOption, load_texts
from memtail_core.data.splits import NEEDS_TEXT, NO_LABEL, Splits
from memtail_core.errors import StudyError


def load_csv(
    path: str,
    /,
    *,
    label: str,
    test: str | None = None,
    ignore: list[str] | None = None,
    types: dict[str, Kind] | None = None,
    missing: Missing = "error",
    na_values: list[str] | None = None,
    decimal: Decimal | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    text: TextOption | None = None,
    image: str | None = None,
    size: int | None = None,
    broken: Broken = "error",
) -> Splits | Undecoded:
    """Read a CSV file with a header.

    Args:
        path: the file; also compressed, as .gz, .bz2 or .zst.
        label: the label's column; ``NO_LABEL`` of texts without labels.
        test: a second file, the test set.
        ignore: columns to leave out.
        types: what columns are, as ``{"zip": "words"}``: "number", "words" or "date".
        missing: "error" refuses missing values; "impute" takes the median or the most frequent
            word, "category" also marks them in a column of their own, "drop" leaves out their rows.
        na_values: words that mean a missing value, besides blanks, NaN, null and the like.
        decimal: "," for numbers as 1.234,5; "." for 1,234.5. By default a comma within a number is
            refused where it could be either.
        delimiter: what separates columns; by default what makes ``label`` a column: , ; tab |.
        encoding: of the file; by default UTF-8, or what its byte-order mark says.
        text: the column that holds texts, or two of them; then other columns are left out.
        image: the column that holds images, as paths seen from the file's folder or, in a Parquet
            file, as bytes; then other columns are left out.
        size, broken: of images, as for ``folder:``.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the file, all of it, with the lines.
    """
    options = Options(ignore or (), decimal, na_values or (), missing, types)

    def read(file: str, faults: Faults) -> File:
        column = label or next(iter(TextColumns.of(text).names), "")
        return csv_file.read(file, nfc(column), delimiter, encoding, faults)

    return load_files(read, path, label, test, text, ImageColumn(image, size, broken), options)


def load_parquet(
    path: str,
    /,
    *,
    label: str,
    test: str | None = None,
    ignore: list[str] | None = None,
    types: dict[str, Kind] | None = None,
    missing: Missing = "error",
    na_values: list[str] | None = None,
    decimal: Decimal | None = None,
    text: TextOption | None = None,
    image: str | None = None,
    size: int | None = None,
    broken: Broken = "error",
) -> Splits | Undecoded:
    """Read a Parquet file; the options are those of :func:`load_csv`."""
    options = Options(ignore or (), decimal, na_values or (), missing, types)
    images = ImageColumn(image, size, broken)

    def read(file: str, _: Faults) -> File:
        return parquet_file.read(file)

    return load_files(read, path, label, test, text, images, options)


def load_json_lines(
    path: str,
    /,
    *,
    label: str,
    test: str | None = None,
    ignore: list[str] | None = None,
    types: dict[str, Kind] | None = None,
    missing: Missing = "error",
    na_values: list[str] | None = None,
    decimal: Decimal | None = None,
    encoding: str | None = None,
    text: TextOption | None = None,
    image: str | None = None,
    size: int | None = None,
    broken: Broken = "error",
) -> Splits | Undecoded:
    """Read a file with a JSON object on each line; the options are those of :func:`load_csv`."""
    options = Options(ignore or (), decimal, na_values or (), missing, types)

    def read(file: str, faults: Faults) -> File:
        return json_lines_file.read(file, encoding, faults)

    return load_files(read, path, label, test, text, ImageColumn(image, size, broken), options)


def load_files(
    read: Read,
    path: str,
    label: str,
    test: str | None,
    text: TextOption | None,
    images: ImageColumn,
    options: Options,
) -> Splits | Undecoded:
    """Read tables with ``read``: their texts or images if a column holds some, else features.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the tables, all of it.
    """
    texts = TextColumns.of(text)
    if texts.names and images.name is not None:
        raise StudyError("[dataset] text and image: an example is one of them")
    images.check(options)
    if label == NO_LABEL and not texts.names:
        raise StudyError(NEEDS_TEXT)
    if texts.names:
        return load_texts(read, path, label, test, texts, options)
    if images.name is None:
        return load(read, path, label, test, options)
    return load_images(read, path, label, test, images, options)
