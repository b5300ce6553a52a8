"""A figure in the page: a still drawing, and the source of its interactive version."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from memtail_core.drawing.charts import Figure, inline_svg, spec
from memtail_core.report import table_files


@dataclass(frozen=True, eq=False)
class Chart:
    """One figure.

    Attributes:
        name: the name of its files; its element in the page is ``chart-NAME``.
        svg: the still drawing.
        source: for the page's script: ``spec`` in Vega-Lite, and ``csv`` with its data.
        caption: the sentence below it.
    """

    name: str
    svg: Markup
    source: dict[str, Any]
    caption: str


def chart(name: str, figure: Figure, caption: str) -> Chart:
    """Draw a figure for the page."""
    source = {"spec": spec(figure), "csv": table_files.to_csv(figure.data).decode()}
    return Chart(name, Markup(inline_svg(figure)), source, caption)
