"""The published reports: their files, verified, and pages of their tables.

Only names in the manifest of a report are served. While a report is being replaced, its files agree
with no manifest; until they do, the tables of the report before are served.
"""

import json
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from anyio import CapacityLimiter, to_thread

from memtail_core.catalogue import reports
from memtail_core.catalogue.reports import Manifest
from memtail_core.errors import DamagedError
from memtail_core.report import table_files
from memtail_core.store import ObjectStore
from services.dashboard.byte_cache import ByteCache
from services.dashboard.snapshot import StudyView

TableName = Literal["scores", "pairs"]
Format = Literal["json", "csv", "parquet"]
MOST_ROWS = 10_000  # in one answer

_TABLE_BYTES, _PAGE_BYTES, _CHOICE_BYTES = 256 * 2**20, 64 * 2**20, 64 * 2**20
_THREADS = 4
_PAUSES = (0.1, 0.2, 0.4, 0.8)  # seconds between attempts at a report that is being replaced
_LABELS = {"scores": "label", "pairs": "train_label"}


class NoReportError(LookupError):
    """There is no report, or it has no such file."""


class BeingReplacedError(DamagedError):
    """The files of a report do not agree with its manifest yet."""


@dataclass(frozen=True)
class TableQuery:
    """Which rows of a table, in which order and format.

    Attributes:
        sort: a column, descending with ``-`` before it; None: as stored.
        min_memorization: the least memorization of the training example.
        label: the class of the training example.
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
        rows: in the format of the query; for JSON a list.
        total: the number of rows on all pages.
        models: the number of models in the report.
    """

    rows: bytes
    total: int
    models: int


@dataclass(frozen=True)
class _Table:
    """The table read for the digest ``asked``; it can be that of a later report."""

    asked: str | None
    digest: str
    models: int
    rows: Any

    def answers(self, digest: str | None) -> bool:
        return digest in (self.asked, self.digest)


class Reports:
    """Reads reports, and keeps what was read last."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._tables: ByteCache[_Table] = ByteCache(
            _TABLE_BYTES, lambda each: int(each.rows.nbytes)
        )
        self._pages = ByteCache[Page](_PAGE_BYTES, lambda each: len(each.rows))
        self._choices = ByteCache[Any](_CHOICE_BYTES, lambda each: int(each.nbytes))
        self._reading = threading.Lock()
        self._threads = CapacityLimiter(_THREADS)

    def file(self, view: StudyView, name: str) -> bytes:
        """A file of the study's report, verified.

        Raises:
            NoReportError: there is no report, or no such file in it.
            BeingReplacedError: another report is being published.
        """
        return self._file(view, name)[0]

    def _file(self, view: StudyView, name: str) -> tuple[bytes, Manifest]:
        """The file, and the manifest it agrees with, which can be later than the view's."""
        manifest = view.report
        for pause in (0.0, *_PAUSES):
            time.sleep(pause)
            if manifest is None or name not in manifest.files:
                raise NoReportError(f"the report of {view.study.id} has no such file")
            content = reports.read(self._store, view.study, manifest, name)
            if content is not None:
                return content, manifest
            manifest = reports.latest(self._store, view.study) or manifest
        raise BeingReplacedError(f"the report of {view.study.id} is being replaced")

    def known(self, view: StudyView, name: TableName, query: TableQuery) -> Page | None:
        """The page if it is in the cache; waits for nothing."""
        kept = self._tables.get((view.study.id, name))
        if kept is None or not kept.answers(_digest(view, name)):
            return None
        return self._pages.get((kept.digest, query))

    async def made(self, view: StudyView, name: TableName, query: TableQuery) -> Page:
        """As :meth:`page`, in one of a few threads; a request that waits for one holds none."""
        return await to_thread.run_sync(self.page, view, name, query, limiter=self._threads)

    def page(self, view: StudyView, name: TableName, query: TableQuery) -> Page:
        """The rows of the query.

        Raises:
            NoReportError: there is no report.
            BeingReplacedError: another report is being published.
        """
        table = self._table(view, name)
        try:
            found = self._encoded(table, name, query)
        except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DamagedError(f"{_file(name)} of {view.study.id} is of another version") from error
        self._pages.put((table.digest, query), found)
        return found

    def _encoded(self, table: _Table, name: TableName, query: TableQuery) -> Page:
        rows, order = table.rows, self._order(table, name, query)
        total = len(rows) if order is None else len(order)
        if order is None:
            part = rows.slice(query.offset, query.limit)
        else:
            part = rows.take(pa.array(order[query.offset : query.offset + query.limit]))
        encode = {"csv": table_files.to_csv, "parquet": table_files.to_parquet, "json": _to_json}
        return Page(encode[query.format](part), total, table.models)

    def _table(self, view: StudyView, name: TableName) -> _Table:
        if view.report is None:
            raise NoReportError(f"{view.study.id} has no report yet")
        key, digest = (view.study.id, name), _digest(view, name)
        kept = self._tables.get(key)
        if kept and kept.answers(digest):
            return kept
        if not self._reading.acquire(blocking=kept is None) and kept:
            return kept  # another thread reads the new one: serve the one before
        try:
            kept = self._tables.get(key)
            if kept and kept.answers(digest):
                return kept
            try:
                content, manifest = self._file(view, _file(name))
            except BeingReplacedError:
                if kept:
                    return kept
                raise
            try:
                rows = table_files.from_parquet(content).combine_chunks()
            except (pa.ArrowException, OSError) as error:
                raise DamagedError(f"{_file(name)} of {view.study.id} is damaged") from error
            actual = manifest.files[_file(name)]
            table = _Table(digest, actual, manifest.trials, _without_nan(rows))
            self._tables.put(key, table)
            return table
        finally:
            self._reading.release()

    def _order(self, table: _Table, name: TableName, query: TableQuery) -> Any:
        """int64: the rows to be paged through; None if it is all of them as they are."""
        label, least, sort = query.label, query.min_memorization, query.sort
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


def _digest(view: StudyView, name: TableName) -> str | None:
    return None if view.report is None else view.report.files.get(_file(name))


def _without_nan(table: pa.Table) -> pa.Table:
    """JSON has no NaN: a missing number is null."""
    for position, column in enumerate(table.columns):
        if pa.types.is_floating(column.type):
            finite = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
            table = table.set_column(position, table.column_names[position], finite)
    return table


def _to_json(table: pa.Table) -> bytes:
    return json.dumps(table.to_pylist(), ensure_ascii=False, allow_nan=False).encode()
