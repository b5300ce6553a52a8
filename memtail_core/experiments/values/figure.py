"""Figure of the values: what each example is worth, and how often held out it is right."""

from collections import Counter

import altair as alt
import pyarrow as pa

from memtail_core.drawing.axes import coloured
from memtail_core.drawing.charts import BLUE, INK, ORANGE, SKY, figure, values
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.values.result import MARGIN, Values

EFFECTS = {-1: "harmful", 0: "neither", 1: "helpful"}
_COLOURS = {"harmful": ORANGE, "neither": SKY, "helpful": BLUE}
_ACROSS, _UP = 50, 60  # dots that fit side by side, and above each other


def figures(result: Values) -> dict[str, CaptionedFigure]:
    """Draw a dot for each example; those at the same place are one larger dot."""
    first = result.measures[0]
    scale = 1 if first.outcome == MARGIN else 100
    known = [
        (i, held_out, scale * value, EFFECTS[effect])
        for i, (held_out, value, effect) in enumerate(
            zip(result.held_out, first.value, result.effect, strict=True)
        )
        if held_out is not None and value is not None
    ]
    if not known:
        return {}
    unit = "units of the margin" if first.outcome == MARGIN else "percentage points"
    caption = (
        f"Every training example: how often models that held it out get it right (Data-OOB), and "
        f"its value to the test {first.outcome}, in {unit}. Harmful and helpful: at a false "
        f"discovery rate of {result.fdr:.0%}."
    )
    names = ("index", "data_oob", f"{first.outcome}_value", "effect")
    data = pa.table(dict(zip(names, map(list, zip(*known, strict=True)), strict=True)))
    heights = [value for _, _, value, _ in known]
    step = (max(heights) - min(heights)) / _UP or 1.0
    places = Counter(
        (round(held_out * _ACROSS), round(value / step), effect)
        for _, held_out, value, effect in known
    )
    rows = [
        {
            "x": across / _ACROSS,
            "y": up * step,
            "n": n,
            "of": effect,
            "tooltip": f"{n:,} {effect}: value {up * step:.3g}, held-out correctness "
            f"{across / _ACROSS:.2f}",
        }
        for (across, up, effect), n in sorted(
            places.items(), key=lambda each: each[0][2] != "neither"
        )
    ]
    size = alt.Size(
        "n:Q",
        scale=alt.Scale(type="log", domain=[1, max(10, *places.values())], range=[10, 160]),
        legend=None,
    )
    dots = (
        alt.Chart(values(rows))
        .mark_point(filled=True, opacity=0.8)
        .encode(
            x=alt.X("x:Q", title="held-out correctness (Data-OOB)"),
            y=alt.Y("y:Q", title=f"value, {unit}"),
            size=size,
            color=coloured("of:N", _COLOURS, columns=3, symbol="circle"),
            tooltip="tooltip:N",
            description="tooltip:N",
        )
    )
    zero = alt.Chart(values([{"y": 0}])).mark_rule(color=INK, aria=False).encode(y="y:Q")
    return {"values": CaptionedFigure(figure([zero, dots], data, caption, height=280), caption)}
