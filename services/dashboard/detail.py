"""The details on the page of one study: failures, findings of the report, throughput.

Each is read or drawn when first asked for, and kept until the study changes. However many readers
there are, a change costs one reading and one chart.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from memtail_core.catalogue import failures, reports
from memtail_core.catalogue.failures import Failure
from memtail_core.errors import MemtailError
from memtail_core.estimation.counted import COUNTED
from memtail_core.store import ObjectStore
from memtail_core.store.document import document
from services.dashboard import throughput
from services.dashboard.snapshot import StudyView

_MOST_FAILURES = 50
_MOST = 10**15  # of anything that a report counts
_SHARE = 0.1  # of the time, at most, is spent on making one thing again and again


@dataclass(frozen=True)
class Detail:
    """The details of one study.

    Attributes:
        failures: those that stopped a shard or the study first.
        findings: what the published report says; None before the first.
        chart: the throughput; None where too little is known.
    """

    failures: tuple[Failure, ...]
    findings: "Findings | None"
    chart: throughput.Chart | None


@dataclass(frozen=True)
class Findings:
    """What the summary of a report says.

    Attributes:
        memorized, scored: numbers of training examples, memorized and with a score.
        pairs: the number of high-influence pairs.
        accuracy: means by name: held_in, held_out, test.
        estimator: the name of the estimator of memorization.
    """

    memorized: int
    scored: int
    pairs: int
    accuracy: dict[str, float]
    estimator: str

    @classmethod
    def of(cls, summary: Any) -> "Findings":
        """Read them; fails in many ways if ``summary`` is none of ours."""
        accuracy = {name: each["mean"] for name, each in summary["accuracy"].items()}
        return cls(
            _count(summary["memorization"]["memorized"]),
            _count(summary["memorization"]["scored"]),
            _count(summary["pairs"]["pairs"]),
            {str(name): _share(mean) for name, mean in accuracy.items() if mean is not None},
            str(summary["memorization"].get("estimator", COUNTED.name)),  # 0.1 had no other
        )


def _count(given: Any) -> int:
    count = int(given)
    if not 0 <= count <= _MOST:
        raise ValueError("no report counts so many")
    return count


def _share(given: Any) -> float:
    share = float(given)
    if not 0 <= share <= 1:
        raise ValueError("an accuracy is between 0 and 1")
    return share


class Details:
    """The details of a store's studies, each part kept until what it is made of changes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._caches: dict[tuple[str, str], _Cached] = {}

    def of(self, view: StudyView) -> Detail:
        """The details of a study as it was read last."""
        return Detail(
            failures=self._part(
                "failures",
                view,
                (view.status.n_failures, view.updated),
                partial(self._failures, view),
            ),
            findings=self._part(
                "findings",
                view,
                view.report and view.report.files.get("summary.json"),
                partial(self._findings, view),
            ),
            chart=self._part("chart", view, view.status.recent[:1], partial(_chart, view)),
        )

    def _part(self, part: str, view: StudyView, made_of: Hashable, make: Callable[[], Any]) -> Any:
        return self._caches.setdefault((view.study.id, part), _Cached()).get(made_of, make)

    def _failures(self, view: StudyView) -> tuple[Failure, ...]:
        if not view.status.n_failures:
            return ()
        try:
            return tuple(failures.most_serious(self._store, view.study, _MOST_FAILURES)[0])
        except MemtailError:  # the page says that they cannot be read
            return ()

    def _findings(self, view: StudyView) -> Findings | None:
        if view.report is None:
            return None
        try:
            content = reports.read(self._store, view.study, view.report, "summary.json")
            return Findings.of(document(content or b""))
        except (MemtailError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            return None  # of another version, or it cannot be reached


class _Cached:
    """A value that is made again when its inputs change, and seldom if that takes long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made_of: Hashable = self  # equal to nothing else
        self._value: Any = None
        self._not_before = 0.0

    def get(self, made_of: Hashable, make: Callable[[], Any]) -> Any:
        """The value; the one before, while another thread makes it or it is too early."""
        is_first = self._made_of is self
        if made_of == self._made_of or (not is_first and time.monotonic() < self._not_before):
            return self._value
        if self._lock.acquire(blocking=is_first):
            try:
                if made_of != self._made_of:
                    begun = time.monotonic()
                    self._value, self._made_of = make(), made_of
                    ended = time.monotonic()
                    self._not_before = ended + (ended - begun) / _SHARE
            finally:
                self._lock.release()
        return self._value


def _chart(view: StudyView) -> throughput.Chart | None:
    return throughput.chart(view.status.recent)
