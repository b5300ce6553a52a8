"""What an experiment adds to a report: sentences, a table, figures and examples to look at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from memtail_core.drawing.charts import Figure


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table to read: every cell is text.

    Attributes:
        columns: the titles.
        rows: one text for each column.
        words: how many of the first columns hold words; the others hold numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1


@dataclass(frozen=True, eq=False)
class CaptionedFigure:
    """A figure and the sentences below it."""

    figure: Figure
    caption: str


@dataclass(frozen=True)
class Example:
    """An example to look at.

    Attributes:
        index: in the training set, or in the test set if ``is_test``.
        caption: a few words about it.
        is_test: whether it is a test example.
    """

    index: int
    caption: str
    is_test: bool = False


@dataclass(frozen=True, eq=False)
class Gallery:
    """Examples to look at, and a title that says what they are."""

    title: str
    examples: Sequence[Example]


@dataclass(frozen=True, eq=False)
class Section:
    """One experiment's part of a report.

    Attributes:
        name: of its files and its anchor in the page.
        title: the heading above it.
        findings: the results in sentences, the answer first.
        notes: what you must know to judge them.
        table: every number, for CSV.
        summary: the numbers to read.
        figures: by file name, without an ending.
        galleries: examples worth a look.
    """

    name: str
    title: str
    findings: Sequence[str]
    notes: Sequence[str]
    table: pa.Table
    summary: TextTable
    figures: dict[str, CaptionedFigure]
    galleries: Sequence[Gallery] = field(default=())

    @property
    def heading(self) -> str:
        """Its line in the table of contents: the name in words, without a study's digest."""
        return re.sub("-[0-9a-f]{10}$", "", self.name).replace("-", " ").capitalize()
