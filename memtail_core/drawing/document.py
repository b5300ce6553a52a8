"""A page of its own that somebody can file: facts, and parts with text, tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from memtail_core.drawing.section import CaptionedFigure, TextTable


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a document.

    Attributes:
        title: the heading above it.
        paragraphs: of text.
        points: a list of sentences after them.
        tables: each with a caption.
        figures: by a name that no other figure of the document has.
    """

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    tables: Sequence[tuple[str, TextTable]] = ()
    figures: dict[str, CaptionedFigure] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Document:
    """A document. All of it is text, and escaped where it is shown.

    Attributes:
        title: what it is about.
        subtitle: of what, and by what.
        answer: the results in sentences, the most important first.
        facts: what was looked at, a name and a text each.
        parts: the rest.
    """

    title: str
    subtitle: str
    answer: Sequence[str]
    facts: Sequence[tuple[str, str]]
    parts: Sequence[Part]
