"""What the page of one study shows beside what was seen: failures, findings, throughput.

It is read or drawn when first asked for, and kept until the study changes. However many look on, a
change costs one look at the store and one chart.
"""

import json
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from memtail_core.catalogue import failures, reports
from memtail_core.catalogue.failures import Failure
from memtail_core.errors import MemtailError
from memtail_core.store import ObjectStore
from services.dashboard import throughput
from services.dashboard.snapshot import StudySeen

_MOST_FAILURES = 50
_SHARE = 0.1  # of the time, at most, is spent on making one thing again and again


@dataclass(frozen=True)
class Detail:
    """What is shown of one study.

    Attributes:
        failures: those that stopped something first.
        findings: what the published report found; None before it.
        chart: throughput; None where too little is known.
    """

    failures: tuple[Failure, ...]
    findings: "Findings | None"
    chart: throughput.Chart | None


@dataclass(frozen=True)
class Findings:
    """What the summary of a report says.

    Attributes:
        memorized, scored: training examples; of all those that have a score.
        pairs: of high influence.
        accuracy: means by name: held_in, held_out, test.
    """

    memorized: int
    scored: int
    pairs: int
    accuracy: dict[str, float]

    @classmethod
    def of(cls, summary: Any) -> "Findings":
        """Read them; fails in many ways if that is no summary of ours."""
        accuracy = {name: each["mean"] for name, each in summary["accuracy"].items()}
        return cls(
            int(summary["memorization"]["memorized"]),
            int(summary["memorization"]["scored"]),
            int(summary["pairs"]["pairs"]),
            {str(name): float(mean) for name, mean in accuracy.items() if mean is not None},
        )


class Details:
    """The details of a store's studies, each part kept until what it is made of changes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[tuple[str, str], _Kept] = {}

    def of(self, seen: StudySeen) -> Detail:
        """What is shown of a study that was seen so."""
        return Detail(
            failures=self._part(
                "failures", seen, (seen.n_failures, seen.updated), partial(self._failures, seen)
            ),
            findings=self._part(
                "findings",
                seen,
                seen.report and seen.report.files.get("summary.json"),
                partial(self._findings, seen),
            ),
            chart=self._part("chart", seen, seen.recent[:1], partial(_chart, seen)),
        )

    def _part(self, part: str, seen: StudySeen, made_of: Hashable, make: Callable[[], Any]) -> Any:
        return self._kept.setdefault((seen.study.id, part), _Kept()).get(made_of, make)

    def _failures(self, seen: StudySeen) -> tuple[Failure, ...]:
        if not seen.n_failures:
            return ()
        try:
            return tuple(failures.most_serious(self._store, seen.study, _MOST_FAILURES)[0])
        except MemtailError:  # the page says that they cannot be read
            return ()

    def _findings(self, seen: StudySeen) -> Findings | None:
        if seen.report is None:
            return None
        try:
            content = reports.read(self._store, seen.study, seen.report, "summary.json")
            return Findings.of(json.loads(content or b""))
        except (MemtailError, ValueError, TypeError, LookupError, AttributeError):
            return None  # of another version, or just away


class _Kept:
    """One thing, made again when what it is made of has changed, and seldom if that takes long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made_of: Hashable = self  # like nothing else
        self._value: Any = None
        self._again = 0.0  # not before

    def get(self, made_of: Hashable, make: Callable[[], Any]) -> Any:
        """The thing; that before it, while another thread makes it or it is too early."""
        is_first = self._made_of is self
        if made_of == self._made_of or (not is_first and time.monotonic() < self._again):
            return self._value
        if self._lock.acquire(blocking=is_first):
            try:
                if made_of != self._made_of:
                    begun = time.monotonic()
                    self._value, self._made_of = make(), made_of
                    ended = time.monotonic()
                    self._again = ended + (ended - begun) / _SHARE
            finally:
                self._lock.release()
        return self._value


def _chart(seen: StudySeen) -> throughput.Chart | None:
    return throughput.chart(seen.recent)
