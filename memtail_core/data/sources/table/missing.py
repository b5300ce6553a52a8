"""Values that are missing: refused, or counted where their rows are dropped or they are filled."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.sources.table.columns import Column
from memtail_core.data.sources.table.faults import Faults, rows_beside
from memtail_core.data.sources.table.features import Feature
from memtail_core.data.sources.table.files import Rows
from memtail_core.data.wording import counted

Gaps = tuple[str, NDArray[np.bool_]]  # a column's name, and where its value is missing


def refuse(label: Gaps | None, columns: Sequence[Gaps], rows: Rows, faults: Faults) -> None:
    """Note a fault for each column of each file in which a value is missing."""
    advice = 'set missing = "impute", "category" or "drop"'
    named = [(each, advice) for each in columns]
    if label is not None:
        named.insert(0, (label, 'set missing = "drop"'))
    for (name, is_missing), advice in named:
        for file, at in rows.by_file(np.flatnonzero(is_missing)):
            faults.add(
                f"'{file.path}' has no {name} in {file.place(int(at[0]))}{rows_beside(len(at))}: "
                f"fill or drop it, or {advice}"
            )


def dropped(gaps: Sequence[Gaps], is_kept: NDArray[np.bool_], rows: Rows) -> Iterator[str]:
    """Say how many rows of each file were left out, and for which columns."""
    for file, at in rows.by_file(np.flatnonzero(~is_kept)):
        start = 0 if file is rows.files[0] else rows.n_train
        counts = [(name, int(is_missing[start + at].sum())) for name, is_missing in gaps]
        why = ", ".join(f"no {name} ({count:,})" for name, count in counts if count)
        yield f"{len(at):,} of {file.table.num_rows:,} rows of '{file.path}' left out: {why}"


def filled(columns: Sequence[Column], features: Sequence[Feature]) -> Iterator[str]:
    """Say what stands where values were missing."""
    for column, each in zip(columns, features, strict=True):
        if n := int(column.is_missing.sum()):
            yield f"{column.name}: {counted(n, 'missing value')} replaced by {each.filled}"
