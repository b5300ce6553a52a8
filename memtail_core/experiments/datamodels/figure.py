"""Figure of datamodels: how well each test example is predicted, against counting."""

from collections import Counter

import altair as alt
import pyarrow as pa

from memtail_core.drawing.charts import BLUE, INK, figure, values
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.datamodels.result import Datamodels

_GRID = 50
_CAPTION = (
    "Every test example: rank correlation of prediction and outcome over the models that judge, by "
    "counted influence and by its datamodel, both from the same models. Above the line the "
    "datamodel predicts better."
)


def figures(result: Datamodels) -> dict[str, CaptionedFigure]:
    """Draw a dot for each test example; those at the same place are one larger dot."""
    known = [
        (z, counted, lds)
        for z, (counted, lds) in enumerate(
            zip(result.of_test.counted, result.of_test.lds, strict=True)
        )
        if counted is not None and lds is not None
    ]
    if not known:
        return {}
    names = ("test_index", "counted", "datamodel")
    data = pa.table(dict(zip(names, map(list, zip(*known, strict=True)), strict=True)))
    places = Counter((round(x * _GRID), round(y * _GRID)) for _, x, y in known)
    rows = [
        {
            "x": x / _GRID,
            "y": y / _GRID,
            "n": n,
            "tooltip": f"{n:,} at {x / _GRID:.2f} counted, {y / _GRID:.2f} by datamodel",
        }
        for (x, y), n in sorted(places.items())
    ]
    low = min(0, *(min(place) for place in places)) / _GRID
    diagonal = alt.Chart(values([{"x": low, "y": low}, {"x": 1, "y": 1}]))
    x = alt.X("x:Q", title="by counted influence")
    y = alt.Y("y:Q", title="by datamodel")
    dots = (
        alt.Chart(values(rows))
        .mark_point(color=BLUE, filled=True, opacity=0.7)
        .encode(
            x=x,
            y=y,
            size=alt.Size(
                "n:Q",
                scale=alt.Scale(type="log", domain=[1, max(10, *places.values())], range=[10, 160]),
                legend=None,
            ),
            tooltip="tooltip:N",
            description="tooltip:N",
        )
    )
    line = diagonal.mark_line(strokeDash=[1, 3], color=INK, aria=False).encode(x=x, y=y)
    drawn = figure([line, dots], data, _CAPTION, height=300)
    return {"datamodels": CaptionedFigure(drawn, _CAPTION)}
