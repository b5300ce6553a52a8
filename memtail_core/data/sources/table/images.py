"""Images in a column of a table, with their labels in another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from memtail_core.data.account import Account
from memtail_core.data.image_files.labelled import Broken, Labelled, Undecoded
from memtail_core.data.sources.table import account, labels
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import Rows
from memtail_core.data.sources.table.image_cells import ImageCell, image_cells
from memtail_core.data.sources.table.labels import Labels
from memtail_core.data.sources.table.missing import Gaps, dropped, refuse
from memtail_core.data.sources.table.options import Options
from memtail_core.data.sources.table.reading import Read, read_files
from memtail_core.data.sources.table.text import matching, nfc
from memtail_core.data.wording import some
from memtail_core.errors import DatasetError, StudyError


@dataclass(frozen=True)
class ImageColumn:
    """Which column holds the images, and how they are read.

    Attributes:
        name: the column; None: the table holds no images.
        size: resize every image to size × size pixels. Without it all must have one size.
        broken: "error" refuses images that cannot be read, "skip" leaves them out and says so.
    """

    name: str | None
    size: int | None = None
    broken: Broken = "error"

    def check(self, options: Options) -> None:
        """Raise StudyError for an option that would say nothing."""
        if self.name is None:
            if self.size is not None or self.broken != "error":
                raise StudyError(
                    "[dataset] size and broken are for images: set image to their column too"
                )
            return
        if options.ignore or options.types or options.decimal:
            raise StudyError(
                "[dataset] ignore, types and decimal are for features: of a table with images, "
                f"only '{self.name}' and the label are read"
            )
        if options.missing not in ("error", "drop"):
            raise StudyError(
                f'[dataset] missing = "{options.missing}" makes no image: "drop" leaves out the row'
            )


def load_images(
    read: Read, path: str, label: str, test: str | None, images: ImageColumn, options: Options
) -> Undecoded:
    """Read the images of a training table, and of a test table if there is one.

    A cell holds an image's bytes, or its path as seen from the table's folder, or both, as Hugging
    Face's struct {bytes, path} does. Paths become the examples' names, if no two are the same.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the tables or the images, all of it.
    """
    assert images.name is not None
    faults = Faults()
    rows = Rows(read_files(read, path, label, test, faults))
    cells = [cell for file in rows.files for cell in image_cells(file, nfc(images.name), faults)]
    return labelled_images(rows, cells, label, images, options, faults)


def labelled_images(
    rows: Rows,
    cells: Sequence[ImageCell | None],
    label: str,
    images: ImageColumn,
    options: Options,
    faults: Faults,
) -> Undecoded:
    """Find the images of some rows whose labels stand in a column.

    Args:
        rows: of the training set, then of the test set if there is one.
        cells: the image of each row; None where it is missing.
        label: the column of labels.
        images, options: how they are read.
        faults: found so far.

    Raises:
        DatasetError: what is wrong with the rows or the images, all of it.
    """
    name = matching(nfc(label), rows.files[0].table.column_names) or label
    answers = labels.read(name, rows, options, faults)
    faults.check()
    assert answers is not None  # else there is a fault
    gaps: list[Gaps] = [
        (name, answers.is_missing),
        (images.name or "image", np.array([cell is None for cell in cells])),
    ]
    if options.missing == "error":
        for gap in gaps:
            refuse(gap, [], rows, faults)
        faults.check()
    is_kept = ~np.any([is_missing for _, is_missing in gaps], axis=0)
    at = np.flatnonzero(is_kept)
    n_train = int((at < rows.n_train).sum())
    path = rows.files[0].path
    if not n_train or (n_train == len(at) and len(rows.files) > 1):
        empty = rows.files[-1].path if n_train else path
        raise DatasetError(f"no row of '{empty}' has both an image and a label")
    kept = [cell for cell in (cells[int(row)] for row in at) if cell is not None]
    answers = Labels(answers.values[at], answers.is_missing[at])
    paths = [cell.path for cell in kept]
    sets = paths[:n_train], paths[n_train:]
    is_named = None not in paths and all(len(set(each)) == len(each) for each in sets)
    by_row = [str(row if row < rows.n_train else row - rows.n_train) for row in at]
    given = Labelled(
        path,
        [cell.file for cell in kept],
        [str(path) for path in paths] if is_named else by_row,
        answers.indices(n_train),
        answers.classes(n_train),
        n_train,
        place=lambda row: f"in {rows.at(int(at[row]))}",
        is_named=is_named or len(at) < len(cells),
    )
    lines = [
        *(account.of_file(file) for file in rows.files),
        account.of_label(name, answers.classes(n_train)),
        *_left_out(rows, {name, images.name or ""}),
        *dropped(gaps, is_kept, rows),
    ]
    said = Account(tuple(lines), tuple(labels.warnings(name, answers, n_train)))
    return Undecoded(given, images.size, images.broken, said)


def _left_out(rows: Rows, read: set[str]) -> Iterable[str]:
    others = [name for name in rows.files[0].table.column_names if name.strip() not in read]
    if others:
        yield f"columns left out, which are neither image nor label: {some(others, 6)}"
