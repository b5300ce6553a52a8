"""How every figure looks, and its four forms: PNG, SVG, SVG within a page, interactive chart."""

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from xml.sax.saxutils import quoteattr

import altair as alt
import pyarrow as pa
import vl_convert
from PIL import Image

BLUE, ORANGE = "#0072b2", "#d55e00"  # Okabe & Ito's colour-blind-safe palette
SKY, GREEN, AMBER, PINK = "#56b4e9", "#009e73", "#e69f00", "#cc79a7"
INK = "currentColor"  # the colour of the page's text, also in dark mode; _DARK in a file
WIDTH, HEIGHT = 420, 220  # pixels of the plot itself; 500 pixels are 7 inches on paper

_DARK = "#2b2b2b"
_DPI = 216  # three for each pixel of the chart (72 an inch), so that thin lines stay sharp
_VERSION = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])  # of Vega-Lite, as Altair
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # equal widths on every system
_THEME = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None, "cursor": "default"},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": INK,
        "tickColor": INK,
        "gridColor": INK,
        "gridOpacity": 0.12,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelFlush": False,
    },
    "axisX": {"grid": False},
    "axisQuantitative": {"tickCount": 6},
    "legend": {
        "orient": "top",
        "direction": "vertical",
        "title": None,
        "labelColor": INK,
        "labelFontSize": 12,
        "labelLimit": 380,
        "symbolOpacity": 1,
        "symbolStrokeWidth": 2,
        "offset": 8,
        "rowPadding": 3,
    },
    "text": {"color": INK, "fontSize": 11},
    "rule": {"color": INK},
    "point": {"filled": True, "size": 40, "opacity": 1},
    "line": {"strokeWidth": 1.6},
}
_ROOT = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>')
_ID = re.compile(r'( id="|"url\(#)((?:clip|gradient_|pattern_)\d+)(?=[")])')


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart and its data.

    Attributes:
        chart: complete: its data inline, the theme, a description for screen readers.
        data: every number it shows, for CSV.
        is_fluid: whether it may become as wide as the page; if not, its size is fixed.
    """

    chart: alt.TopLevelMixin
    data: pa.Table
    is_fluid: bool = True

    @cached_property
    def _spec(self) -> dict[str, Any]:
        made: dict[str, Any] = self.chart.to_dict()
        return made

    @cached_property
    def _svg(self) -> str:
        """Render. vl-convert numbers ids across figures; here they depend on the figure alone."""
        text = vl_convert.vegalite_to_svg(self._spec, vl_version=_VERSION, allowed_base_urls=[])
        order: dict[str, int] = {}
        for match in _ID.finditer(text):
            order.setdefault(match[2], len(order))
        own = hashlib.sha256(json.dumps(self._spec).encode()).hexdigest()[:8]
        return _ID.sub(lambda match: f"{match[1]}m{own}-{order[match[2]]}", text)


def figure(
    layers: Sequence[alt.Chart],
    data: pa.Table,
    description: str,
    *,
    width: float = WIDTH,
    height: float = HEIGHT,
    is_fluid: bool = True,
) -> Figure:
    """Lay charts over each other; add the size in pixels, the theme and a description in words."""
    chart = alt.LayerChart(layer=list(layers)).properties(
        width=width, height=height, description=description, config=_THEME
    )
    return Figure(chart, data, is_fluid)


def values(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Turn rows into the data of a chart. Their content is drawn and never run."""
    data = alt.InlineData(values=[])
    data["values"] = rows  # in the constructor Altair validates each: a second for 10,000 rows
    return data


def png(figure: Figure) -> bytes:
    """Render for screens and print: on white, 216 dots per inch."""
    head, root, rest = _parted(svg(figure).decode())
    white = '<rect width="100%" height="100%" fill="white"/>'
    drawn = Image.open(io.BytesIO(vl_convert.svg_to_png(head + root[0] + white + rest, ppi=_DPI)))
    buffer = io.BytesIO()
    drawn.convert("RGB").save(buffer, "png", dpi=(_DPI, _DPI))  # a third of the bytes with alpha
    return buffer.getvalue()


def svg(figure: Figure) -> bytes:
    """Render as vectors, with text as text and no background."""
    return re.sub(f'(fill|stroke)="{INK}"', rf'\1="{_DARK}"', figure._svg).encode()


def inline_svg(figure: Figure) -> str:
    """Return the SVG element alone: ink in the page's text colour, never wider than the page."""
    _, root, rest = _parted(figure._svg)
    width, height = root[1], root[2]
    label = quoteattr(str(figure._spec.get("description", "")))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" style="width:100%;max-width:{width}px;height:auto" '
        f'role="graphics-document" aria-roledescription="chart" aria-label={label}>{rest}'
    )


def spec(figure: Figure) -> dict[str, Any]:
    """Return the chart in Vega-Lite, as JSON, for ``memtailDraw`` of :func:`javascript`."""
    fluid: Mapping[str, Any] = {"width": "container"} if figure.is_fluid else {}
    return {**figure._spec, **fluid}


@cache
def javascript() -> str:
    """Return a script for the page: ``memtailDraw(element, spec)`` draws and returns a promise.

    It evaluates no text (``ast``), so it runs under a strict content policy, and loads nothing.
    """
    made: str = vl_convert.javascript_bundle(_SNIPPET, vl_version=_VERSION)
    return made.replace("</script", r"<\/script").replace("<!--", r"<\!--")


_SNIPPET = """
window.memtailDraw = (element, spec) => vegaEmbed(element, spec, {
  ast: true, actions: false, renderer: "svg",
  tooltip: { theme: "custom" },
});
"""


def _parted(text: str) -> tuple[str, "re.Match[str]", str]:
    root = _ROOT.search(text)
    assert root is not None
    return text[: root.start()], root, text[root.end() :]
