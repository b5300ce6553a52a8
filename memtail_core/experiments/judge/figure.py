"""Figure of a judgement: each attribution's score with its interval, and the ceiling."""

import altair as alt
import pyarrow as pa

from memtail_core.drawing.charts import BLUE, INK, ORANGE, figure, values
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.judge.result import Judgement

_CAPTION = (
    "Linear datamodeling score of each attribution, a mean over test examples, with its 95% "
    "interval."
)
_WITH_CEILING = " The dashed line is the highest score possible, and the band its interval."


def figures(result: Judgement) -> dict[str, CaptionedFigure]:
    """Draw the scores, best first."""
    rows = [
        {
            "name": each.name,
            "x": each.score.lds,
            "low": each.score.low,
            "high": each.score.high,
            "tooltip": f"{each.name}: {each.score.lds:.3f}",
        }
        for each in result.judged
        if each.score.lds is not None
    ]
    if not rows:
        return {}
    data = pa.table({key: [row[key] for row in rows] for key in ("name", "x", "low", "high")})
    y = alt.Y("name:N", title=None, sort=None)
    x = alt.X("x:Q", title="linear datamodeling score")
    base = alt.Chart(values(rows))
    layers = [
        base.mark_rule(color=BLUE, aria=False).encode(y=y, x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(color=BLUE, filled=True, size=60).encode(
            y=y, x=x, tooltip="tooltip:N", description="tooltip:N"
        ),
        alt.Chart(values([{"x": 0}])).mark_rule(color=INK, aria=False).encode(x="x:Q"),
    ]
    best, caption = result.ceiling, _CAPTION
    if best is not None and best.lds is not None:
        band = [{"x": best.lds, "low": best.low, "high": best.high}]
        layers[:0] = [
            alt.Chart(values(band))
            .mark_rect(color=ORANGE, opacity=0.2, aria=False)
            .encode(x="low:Q", x2="high:Q"),
            alt.Chart(values(band))
            .mark_rule(color=ORANGE, strokeDash=[5, 3], aria=False)
            .encode(x="x:Q"),
        ]
        caption += _WITH_CEILING
    height = 60 + 28 * len(rows)
    return {"judge": CaptionedFigure(figure(layers, data, caption, height=height), caption)}
