"""What an experiment adds to the report: what was found, in words, a table, and figures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from memtail_core.drawing.charts import Figure
from memtail_core.estimation.paired import Difference


@dataclass(frozen=True, eq=False)
class Shown:
    """A table as people read it.

    Attributes:
        columns: their titles.
        rows: a text for each column.
        words: how many of the first columns are words; the others are numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure and what it shows."""

    figure: Figure
    caption: str


@dataclass(frozen=True)
class Example:
    """An example to look at.

    Attributes:
        index: in the training set, or the test set.
        said: of it.
        is_test: whether it is a test example.
    """

    index: int
    said: str
    is_test: bool = False


@dataclass(frozen=True, eq=False)
class Gallery:
    """Examples to look at, and what they are."""

    title: str
    examples: Sequence[Example]


@dataclass(frozen=True, eq=False)
class Section:
    """One experiment's part of the report.

    Attributes:
        name: of its files.
        title: over it.
        findings: what was found, a sentence or two each, the answer first.
        notes: what a reader must know to believe it.
        table: every number, for CSV.
        shown: the same as people read it.
        figures: by file name, without an ending.
        galleries: examples worth a look.
    """

    name: str
    title: str
    findings: Sequence[str]
    notes: Sequence[str]
    table: pa.Table
    shown: Shown
    figures: dict[str, Drawn]
    galleries: Sequence[Gallery] = field(default=())

    @property
    def heading(self) -> str:
        """Its name in the list of contents: in words, without a study's digest."""
        return re.sub("-[0-9a-f]{10}$", "", self.name).replace("-", " ").capitalize()


def count(n: int, noun: str) -> str:
    """``1 test example``, ``2 test examples``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def points(value: float | None, digits: int = 2) -> str:
    """A share as percentage points: ``1.32``."""
    return "–" if value is None else f"{100 * value:.{digits}f}"


def interval(found: Difference) -> str:
    """A difference in percentage points with its interval: ``1.32 [0.84, 1.80]``."""
    return f"{points(found.mean)} [{points(found.low)}, {points(found.high)}]"


def decimal(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def memorization_between(low: float, high: float) -> str:
    """Name a group of examples by their memorization."""
    if low == -1:
        return f"memorization below {high:g}"
    return f"memorization {low:g} to {high:g}"
