"""Reads a training table, and a test table if there is one, into arrays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import Account
from memtail_core.data.sources.table import account, labels
from memtail_core.data.sources.table.columns import Column, is_unnamed
from memtail_core.data.sources.table.deciding import decide
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.features import Feature, feature, finite
from memtail_core.data.sources.table.files import File, Rows
from memtail_core.data.sources.table.labels import Labels
from memtail_core.data.sources.table.missing import dropped, filled, refuse
from memtail_core.data.sources.table.options import Options
from memtail_core.data.sources.table.text import matching, nfc
from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError, did_you_mean

Read = Callable[[str, Faults], File]


def load(read: Read, path: str, label: str, test: str | None, options: Options) -> Splits:
    """Read the tables, decide over both together what each column is, and treat missing values.

    Raises:
        StudyError: an option names a column that is not there.
        DatasetError: what is wrong with the tables, all of it.
    """
    faults = Faults()
    rows = Rows(read_files(read, path, label, test, faults))
    name = matching(nfc(label), rows.files[0].table.column_names) or label
    answers = labels.read(name, rows, options, faults)
    decided = decide(rows, name, options, faults)
    columns = [c for c in decided if isinstance(c, Column) and finite(c, rows, faults)]
    gaps = [(column.name, column.is_missing) for column in columns]
    if not columns and not faults:
        faults.add(f"'{path}' has no column beside the label '{name}' that says something")
    if options.missing == "error":
        refuse((name, answers.is_missing) if answers else None, gaps, rows, faults)
    faults.check()
    assert answers is not None  # else there is a fault
    unlabelled = (name, answers.is_missing)
    is_kept = ~answers.is_missing
    if options.missing == "drop":
        is_kept &= ~np.any([is_missing for _, is_missing in gaps], axis=0)
    n_train = int(is_kept[: rows.n_train].sum())
    if not n_train or (test and n_train == is_kept.sum()):
        raise DatasetError(
            f"no row of '{path if not n_train else test}' is without a missing value"
        )
    if not is_kept.all():
        columns = [column.only(is_kept) for column in columns]
    answers = Labels(answers.values[is_kept], answers.is_missing[is_kept])
    features = [feature(column, n_train, options.missing) for column in columns]
    lines = [
        *(account.of_file(file) for file in rows.files),
        account.of_label(name, answers.classes(n_train)),
        *account.of_columns(decided),
        *dropped([unlabelled, *(gaps if options.missing == "drop" else [])], is_kept, rows),
        *(each.note for each in features if each.note),
        *filled(columns, features),
    ]
    warnings = [
        *labels.warnings(name, answers, n_train),
        *(w for f in features for w in f.warnings),
    ]
    said = Account(tuple(lines), tuple(warnings))
    return _splits(features, answers, is_kept, rows, n_train, said)


def read_files(read: Read, path: str, label: str, test: str | None, faults: Faults) -> list[File]:
    """Read the training table, and the test table if there is one; each must have the label."""
    files = [read(each, faults) for each in (path, *([test] if test else []))]
    for file in files:
        _check(file, nfc(label), faults)
    return files


def _check(file: File, label: str, faults: Faults) -> None:
    names = file.table.column_names
    if file.table.num_rows == 0:
        faults.check()
        raise DatasetError(f"'{file.path}' is empty: it has no rows")
    twice = [name for name in names if names.count(name) > 1 and not is_unnamed(name)]
    if twice:
        raise DatasetError(f"'{file.path}' has two columns '{twice[0]}'")
    if matching(label, names) is None:
        raise DatasetError(
            f"'{file.path}' has no column '{label}'{did_you_mean(label, names)}{_header_hint(file)}"
        )


def _header_hint(file: File) -> str:
    """Why a column may not be found: another separator, or no line of names."""
    names = file.table.column_names
    if file.is_typed:
        return ""
    if len(names) == 1:
        return ': what separates its columns? Set [dataset] delimiter, as ";" or "\\t"'
    if any(name.strip().lstrip("-").replace(".", "", 1).isdigit() for name in names):
        return ": its first line must name the columns"
    return ""


def _splits(
    features: Sequence[Feature],
    answers: Labels,
    is_kept: NDArray[np.bool_],
    rows: Rows,
    n_train: int,
    said: Account,
) -> Splits:
    x = np.concatenate([each.values for each in features], axis=1)
    y: Any = answers.values
    classes = None
    if y.dtype.kind == "O" or (y.dtype.kind in "iu" and (y.min() < 0 or y.max() >= 2**63)):
        y, classes = answers.indices(n_train), answers.classes(n_train)
    parts: dict[str, Any] = {"x_train": x[:n_train], "y_train": y[:n_train], "classes": classes}
    if len(rows.files) > 1:
        parts |= {"x_test": x[n_train:], "y_test": y[n_train:]}
    if not is_kept.all():  # an example's name is its row in the file
        split = is_kept[: rows.n_train], is_kept[rows.n_train :]
        names = [[str(i) for i in np.flatnonzero(each)] for each in split]
        parts |= {"train_names": names[0], "test_names": names[1]}
    features_names = [name for each in features for name in each.names]
    return Splits(**parts, features=features_names, account=said)
