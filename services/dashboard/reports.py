"""The published reports: their files, verified, and pages of the tables in them.

Only names of a report's manifest name anything. While a report is replaced, its files do not agree
with any manifest; then the tables of the one before are shown.
"""

import io
import json
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from anyio import CapacityLimiter, to_thread

from memtail_core.catalogue import reports
from memtail_core.catalogue.reports import Manifest
from memtail_core.errors import DamagedError
from memtail_core.store import ObjectStore
from services.dashboard.kept import Kept
from services.dashboard.snapshot import StudySeen

TableName = Literal["scores", "pairs"]
Format = Literal["json", "csv", "parquet"]
MOST_ROWS = 10_000  # in one answer

_TABLE_BYTES, _PAGE_BYTES, _CHOICE_BYTES = 256 * 2**20, 64 * 2**20, 64 * 2**20
_THREADS = 4
_PAUSES = (0.1, 0.2, 0.4, 0.8)  # seconds, in which a report's files come to agree
_LABELS = {"scores": "label", "pairs": "train_label"}


class NoReportError(LookupError):
    """There is none, or not this file of it."""


class BeingReplacedError(DamagedError):
    """The files of a report do not agree with its manifest; soon they will."""


@dataclass(frozen=True)
class Wanted:
    """Which rows of a table, in which order, how written.

    Attributes:
        sort: a column; descending with ``-`` before it; None: as they are.
        min_memorization: of the training example.
        label: class of the training example.
    """

    format: Format = "json"
    offset: int = 0
    limit: int = 100
    sort: str | None = None
    min_memorization: float | None = None
    label: int | None = None


@dataclass(frozen=True)
class Page:
    """Rows of a table, encoded.

    Attributes:
        rows: as the format has them; of JSON a list.
        total: how many rows there are to be paged through.
        models: of which the report was made.
    """

    rows: bytes
    total: int
    models: int


@dataclass(frozen=True)
class _Table:
    """What was read when that of ``asked`` was wanted; it can be of a later report."""

    asked: str | None
    digest: str
    models: int
    rows: Any

    def is_that(self, digest: str | None) -> bool:
        return digest in (self.asked, self.digest)


class Reports:
    """Reads reports; keeps what was read last."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._tables: Kept[_Table] = Kept(_TABLE_BYTES, lambda each: int(each.rows.nbytes))
        self._pages: Kept[Page] = Kept(_PAGE_BYTES, lambda each: len(each.rows))
        self._choices: Kept[Any] = Kept(_CHOICE_BYTES, lambda each: int(each.nbytes))
        self._reading = threading.Lock()
        self._threads = CapacityLimiter(_THREADS)  # beside which others have theirs

    def file(self, seen: StudySeen, name: str) -> bytes:
        """A file of the study's report, verified.

        Raises:
            NoReportError: there is no report, or no such file in it.
            BeingReplacedError: another is being published just now.
        """
        return self._file(seen, name)[0]

    def _file(self, seen: StudySeen, name: str) -> tuple[bytes, Manifest]:
        """Likewise, and the manifest that it agrees with: maybe a later one than was seen."""
        manifest = seen.report
        for pause in (0.0, *_PAUSES):
            time.sleep(pause)
            if manifest is None or name not in manifest.files:
                raise NoReportError(f"the report of {seen.study.id} has no such file")
            content = reports.read(self._store, seen.study, manifest, name)
            if content is not None:
                return content, manifest
            manifest = reports.latest(self._store, seen.study) or manifest
        raise BeingReplacedError(f"the report of {seen.study.id} is being replaced")

    def known(self, seen: StudySeen, name: TableName, wanted: Wanted) -> Page | None:
        """The page, if it was made before; waits for nothing."""
        kept = self._tables.get((seen.study.id, name))
        if kept is None or not kept.is_that(_digest(seen, name)):
            return None
        return self._pages.get((kept.digest, wanted))

    async def made(self, seen: StudySeen, name: TableName, wanted: Wanted) -> Page:
        """As :meth:`page`, in one of a few threads; who waits for one holds none."""
        return await to_thread.run_sync(self.page, seen, name, wanted, limiter=self._threads)

    def page(self, seen: StudySeen, name: TableName, wanted: Wanted) -> Page:
        """The rows that are wanted.

        Raises:
            NoReportError: there is no report.
            BeingReplacedError: likewise, until another is published.
        """
        table = self._table(seen, name)
        try:
            found = self._encoded(table, name, wanted)
        except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DamagedError(f"{_file(name)} of {seen.study.id} is of another version") from error
        self._pages.put((table.digest, wanted), found)
        return found

    def _encoded(self, table: _Table, name: TableName, wanted: Wanted) -> Page:
        rows, order = table.rows, self._order(table, name, wanted)
        total = len(rows) if order is None else len(order)
        if order is None:
            part = rows.slice(wanted.offset, wanted.limit)
        else:
            part = rows.take(pa.array(order[wanted.offset : wanted.offset + wanted.limit]))
        from memtail_core.report import tables

        encode = {"csv": tables.to_csv, "parquet": tables.to_parquet, "json": _to_json}
        return Page(encode[wanted.format](part), total, table.models)

    def _table(self, seen: StudySeen, name: TableName) -> _Table:
        if seen.report is None:
            raise NoReportError(f"{seen.study.id} has no report yet")
        key, digest = (seen.study.id, name), _digest(seen, name)
        kept = self._tables.get(key)
        if kept and kept.is_that(digest):
            return kept
        if not self._reading.acquire(blocking=kept is None) and kept:
            return kept  # another reads the new one already: the one before will do
        try:
            kept = self._tables.get(key)
            if kept and kept.is_that(digest):
                return kept
            try:
                content, manifest = self._file(seen, _file(name))
            except BeingReplacedError:
                if kept:
                    return kept
                raise
            try:
                rows = pyarrow.parquet.read_table(io.BytesIO(content)).combine_chunks()
            except (pa.ArrowException, OSError) as error:
                raise DamagedError(f"{_file(name)} of {seen.study.id} is damaged") from error
            actual = manifest.files[_file(name)]
            table = _Table(digest, actual, manifest.trials, _without_nan(rows))
            self._tables.put(key, table)
            return table
        finally:
            self._reading.release()

    def _order(self, table: _Table, name: TableName, wanted: Wanted) -> Any:
        """int64: the rows to be paged through; None if it is all of them as they are."""
        label, least, sort = wanted.label, wanted.min_memorization, wanted.sort
        if label is None and least is None and sort is None:
            return None
        key: Hashable = (table.digest, label, least, sort)
        order = self._choices.get(key)
        if order is not None:
            return order
        rows = table.rows
        order = np.arange(len(rows))
        if sort is not None:
            direction = "descending" if sort.startswith("-") else "ascending"
            by = [(sort.removeprefix("-"), direction)]
            order = pc.sort_indices(rows, sort_keys=by).to_numpy().astype(np.int64)
        if label is not None:
            order = order[rows[_LABELS[name]].to_numpy()[order] == label]
        if least is not None:
            from memtail_core.estimation.intervals import reaches

            order = order[reaches(rows["memorization"].to_numpy()[order], least)]
        self._choices.put(key, order)
        return order


def _file(name: TableName) -> str:
    return f"{name}.parquet"


def _digest(seen: StudySeen, name: TableName) -> str | None:
    return None if seen.report is None else seen.report.files.get(_file(name))


def _without_nan(table: pa.Table) -> pa.Table:
    """JSON has no NaN: a missing number is null."""
    for position, column in enumerate(table.columns):
        if pa.types.is_floating(column.type):
            finite = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
            table = table.set_column(position, table.column_names[position], finite)
    return table


def _to_json(table: pa.Table) -> bytes:
    return json.dumps(table.to_pylist(), ensure_ascii=False, allow_nan=False).encode()
