"""A figure as the page shows it: drawn already, and what draws it again when it is touched."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from memtail_core.drawing.charts import Figure, inline_svg, spec
from memtail_core.report import tables


@dataclass(frozen=True, eq=False)
class Chart:
    """One figure.

    Attributes:
        name: of its files, and its address in the page (``chart-NAME``).
        svg: it, drawn.
        source: for the page's script: ``spec``, in Vega-Lite, and ``csv``, its data.
        caption: what it shows.
    """

    name: str
    svg: Markup
    source: dict[str, Any]
    caption: str


def chart(name: str, figure: Figure, caption: str) -> Chart:
    """Draw a figure for the page."""
    source = {"spec": spec(figure), "csv": tables.to_csv(figure.data).decode()}
    return Chart(name, Markup(inline_svg(figure)), source, caption)
