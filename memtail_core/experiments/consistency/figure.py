"""Figure of consistency: how often held-out examples are right, over the subset ratio."""

import altair as alt

from memtail_core.drawing.charts import AMBER, BLUE, GREEN, ORANGE, SKY, figure
from memtail_core.drawing.formatting import memorization_between
from memtail_core.drawing.lines import SHARE, Point, lines, table
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.consistency.result import Consistency, Group

_COLOURS = (SKY, BLUE, GREEN, AMBER, ORANGE)
_CAPTION = (
    "How often held-out examples are classified correctly, over the share of the training set that "
    "models train on: means over examples of about the same memorization."
)


def figures(result: Consistency) -> dict[str, CaptionedFigure]:
    """Draw consistency over the ratios, a line for each group, if there are several ratios."""
    points = [
        Point(
            name_of(group),
            at.ratio,
            value,
            f"{name_of(group)}, at {at.ratio:g}: {value:.3f}",
            error,
        )
        for group in result.groups
        for at, value, error in zip(result.ratios, group.consistency, group.error, strict=True)
        if value is not None
    ]
    if not points or len(result.ratios) < 2:
        return {}
    names = list(dict.fromkeys(point.line for point in points))
    colours = {
        name_of(group): colour
        for group, colour in zip(result.groups, _COLOURS, strict=True)
        if name_of(group) in names
    }
    x = alt.X("x:Q", title="share of the training set", scale=SHARE)
    y = alt.Y("y:Q", title="consistency", scale=SHARE)
    layers = lines(points, x, y, colours)
    data = table(points, x="ratio", y="consistency")
    return {"consistency": CaptionedFigure(figure(layers, data, _CAPTION), _CAPTION)}


def name_of(group: Group) -> str:
    """Name a group of examples."""
    return memorization_between(group.low, group.high)
