"""How every figure looks, and the files it becomes: PNG, SVG, or SVG within the page."""

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE = "#0072b2", "#d55e00"  # of Okabe & Ito's colour-blind-safe palette
INK = "#2b2b2b"
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "memtail",  # the same figure gives the same file
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
}


def panel(width: float, height: float, draw: Callable[[Axes], None]) -> Figure:
    """Draw a figure of one panel, its size in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        draw(figure.add_subplot())
    return figure


def panels(width: float, height: float, draw: Sequence[Callable[[Axes], None]]) -> Figure:
    """Draw a figure of panels side by side, its size in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        columns = figure.subplots(1, len(draw), squeeze=False)[0]
        for axes, each in zip(columns, draw, strict=True):
            each(axes)
    return figure


def png(figure: Figure) -> bytes:
    """Render for a screen or a paper, 200 dots per inch."""
    return _rendered(figure, "png", dpi=200, facecolor="white")


def svg(figure: Figure) -> bytes:
    """Render as vectors, text as text."""
    return _rendered(figure, "svg", metadata={"Date": None, "Creator": "memtail"})


def inline_svg(figure: Figure) -> str:
    """The SVG element alone, its ink in the colour of the surrounding text (so in dark mode)."""
    text = svg(figure).decode()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _rendered(figure: Figure, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a script that the font lacks
        figure.savefig(buffer, format=format, bbox_inches="tight", **options)  # type: ignore[arg-type]
    return buffer.getvalue()
