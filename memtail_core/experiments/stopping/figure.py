"""Figure of stopping: the value of each rule at each look."""

import altair as alt

from memtail_core.drawing.charts import BLUE, GREEN, INK, ORANGE, PINK, SKY, figure
from memtail_core.drawing.lines import Point, lines, table
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.stopping.result import StoppingHistory

_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, INK)
_CAPTION = "The value of each rule at each look, in the run that ended here."


def figures(result: StoppingHistory) -> dict[str, CaptionedFigure]:
    """Draw the value of each rule over the number of models, if there was more than one look."""
    points = [
        Point(
            each.rule,
            look.trials,
            each.value,
            f"{each.rule}: {each.value:.3f} with {look.trials:,} models",
        )
        for look in result.looks
        for each in look.rules
        if each.value is not None
    ]
    if len({point.x for point in points}) < 2:
        return {}
    rules = list(dict.fromkeys(point.line for point in points))
    colours = {rule: _COLOURS[k % len(_COLOURS)] for k, rule in enumerate(rules)}
    x = alt.X("x:Q", title="models", scale=alt.Scale(zero=False))
    y = alt.Y("y:Q", title="value", scale=alt.Scale(zero=True))
    layers = lines(points, x, y, colours)
    return {
        "stopping": CaptionedFigure(figure(layers, table(points, x="trials"), _CAPTION), _CAPTION)
    }
