"""Texts in a column of a table, or in two, with their labels in another, or without."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import Account
from memtail_core.data.modalities.text.cleaning import MOST_PARTS
from memtail_core.data.sources.table import account, labels
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import Rows
from memtail_core.data.sources.table.labels import Labels
from memtail_core.data.sources.table.missing import Gaps, dropped, refuse
from memtail_core.data.sources.table.options import Options
from memtail_core.data.sources.table.reading import Read, read_files
from memtail_core.data.sources.table.text import is_text, matching, nfc
from memtail_core.data.splits import NO_LABEL, Splits
from memtail_core.data.wording import some
from memtail_core.errors import DatasetError, StudyError, did_you_mean

TextOption = str | list[str]
"""``text`` of ``[dataset]``: a column, or two of them."""


@dataclass(frozen=True)
class TextColumns:
    """Which columns hold the texts; ``names`` is empty where the table holds none."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, given: TextOption | None) -> "TextColumns":
        """Read the option ``text``; raises StudyError unless it names a column or two."""
        names = () if given is None else (given,) if isinstance(given, str) else tuple(given)
        if given is not None and not 0 < len(names) <= MOST_PARTS:
            raise StudyError(f"[dataset] text names {len(names)} columns: name one, or two")
        return cls(tuple(nfc(name) for name in names))

    def check(self, options: Options) -> None:
        """Raise StudyError for an option that would say nothing."""
        if options.ignore or options.types or options.decimal or options.na_values:
            raise StudyError(
                "[dataset] ignore, types, na_values and decimal are for features: of a table with "
                f"texts, only {some(self.names)} and the label are read"
            )
        if options.missing not in ("error", "drop"):
            raise StudyError(
                f'[dataset] missing = "{options.missing}" makes no text: "drop" leaves out the row'
            )


def load_texts(
    read: Read, path: str, label: str, test: str | None, columns: TextColumns, options: Options
) -> Splits:
    """Read the texts of a training table, and of a test table if there is one.

    An empty field of a CSV file is an empty text; a null of another file is missing. Without a
    label, as ``NO_LABEL`` says, all examples are of one class.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the tables, all of it.
    """
    columns.check(options)
    faults = Faults()
    is_labelled = label != NO_LABEL
    label = label if is_labelled else columns.names[0]
    rows = Rows(read_files(read, path, label, test, faults))
    known = rows.files[0].table.column_names
    name = matching(nfc(label), known) or label
    answers = labels.read(name, rows, options, faults) if is_labelled else Labels.none(rows.n)
    parts = [_column(each, rows, faults) for each in columns.names]
    faults.check()
    assert answers is not None  # else there is a fault
    gaps: list[Gaps] = [(name, answers.is_missing)] if is_labelled else []
    gaps += [
        (each, np.array([value is None for value in part]))
        for each, part in zip(columns.names, parts, strict=True)
    ]
    if options.missing == "error":
        for gap in gaps:
            refuse(gap, [], rows, faults)
        faults.check()
    is_kept = ~np.any([is_missing for _, is_missing in gaps], axis=0)
    at = np.flatnonzero(is_kept)
    n_train = int((at < rows.n_train).sum())
    if not n_train or (n_train == len(at) and len(rows.files) > 1):
        empty = rows.files[-1 if n_train else 0].path
        what = "both a text and a label" if is_labelled else "a text"
        raise DatasetError(f"no row of '{empty}' has {what}")
    said = Account(
        (
            *(account.of_file(file) for file in rows.files),
            *([account.of_label(name, answers.classes(n_train))] if is_labelled else ()),
            *_left_out(
                rows,
                {name, *columns.names},
                "neither text nor label" if is_labelled else "no text",
            ),
            *dropped(gaps, is_kept, rows),
        ),
        tuple(labels.warnings(name, answers, n_train)),
    )
    answers = Labels(answers.values[at], answers.is_missing[at])
    return _splits(_together(parts, at), answers, at, rows, said)


def _column(name: str, rows: Rows, faults: Faults) -> Sequence[str | None]:
    """The texts of a column of both tables; a fault where it holds none."""
    known = rows.files[0].table.column_names
    own = matching(name, known)
    if own is None:
        faults.add(
            f"'{rows.files[0].path}' has no column '{name}' of texts{did_you_mean(name, known)}"
        )
        return []
    column = rows.together(own, faults)
    if column is None:
        return []
    if not is_text(column.type):
        faults.add(f"the column '{name}' of '{rows.files[0].path}' is {column.type}: it is no text")
        return []
    values: list[str | None] = column.to_pylist()
    return values


def _together(parts: Sequence[Sequence[Any]], at: NDArray[np.int64]) -> Any:
    texts = np.empty(len(at), dtype=object)
    for i, row in enumerate(at.tolist()):
        texts[i] = parts[0][row] if len(parts) == 1 else tuple(part[row] for part in parts)
    return texts


def _splits(
    texts: Any, answers: Labels, at: NDArray[np.int64], rows: Rows, said: Account
) -> Splits:
    n_train = int((at < rows.n_train).sum())
    y = answers.indices(n_train)
    given: dict[str, Any] = {"x_train": texts[:n_train], "y_train": y[:n_train]}
    if len(rows.files) > 1:
        given |= {"x_test": texts[n_train:], "y_test": y[n_train:]}
    if len(at) < rows.n:  # an example's name is its row in the file
        names = [str(row if row < rows.n_train else row - rows.n_train) for row in at.tolist()]
        given |= {"train_names": names[:n_train], "test_names": names[n_train:]}
    return Splits(**given, classes=answers.classes(n_train), modality="text", account=said)


def _left_out(rows: Rows, read: set[str], what: str) -> Iterable[str]:
    others = [name for name in rows.files[0].table.column_names if name.strip() not in read]
    if others:
        yield f"columns left out, which are {what}: {some(others, 6)}"
