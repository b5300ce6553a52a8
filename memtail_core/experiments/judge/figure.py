"""Figures of a judgement: scores with intervals and the ceiling, by groups, and after removal."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pyarrow as pa

from memtail_core.drawing.axes import coloured, shortened
from memtail_core.drawing.charts import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    SKY,
    Figure,
    figure,
    values,
)
from memtail_core.drawing.formatting import memorization_between
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.judge.result import Difficulty, Judgement, Memorized

_CAPTION = (
    "Linear datamodeling score of each attribution, a mean over test examples, with its 95% "
    "interval."
)
_WITH_CEILING = " The dashed line is the highest score possible, and the band its interval."
_COLOURS = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
_ROW, _MARGIN = 13, 30  # pixels


def figures(result: Judgement) -> dict[str, CaptionedFigure]:
    """Draw the scores, best first; by groups; and what removing the highest scores costs."""
    drawn = {"judge": _scores(result), "judge-groups": _groups(result)}
    if result.tests:
        drawn["judge-removal"] = _removal(result)
    return {name: each for name, each in drawn.items() if each is not None}


def tests_named(group: Difficulty) -> str:
    """Name a group of test examples."""
    return f"{100 * group.low:.0f}–{group.high:.0%} right"


def examples_named(group: Memorized) -> str:
    """Name a group of training examples."""
    return memorization_between(group.low, group.high)


def _scores(result: Judgement) -> CaptionedFigure | None:
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
        return None
    data = pa.table({key: [row[key] for row in rows] for key in ("name", "x", "low", "high")})
    y = alt.Y("name:N", title=None, sort=None)
    x = alt.X("x:Q", title="linear datamodeling score")
    base = alt.Chart(values(rows))
    layers = [
        base.mark_rule(color=BLUE, aria=False).encode(y=y, x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(color=BLUE, filled=True, size=60).encode(
            y=y, x=x, tooltip="tooltip:N", description="tooltip:N"
        ),
        _zero(),
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
    return CaptionedFigure(figure(layers, data, caption, height=height), caption)


@dataclass(frozen=True)
class _Dot:
    """A number of one attribution in one group, with its interval."""

    name: str
    group: str
    x: float
    low: float
    high: float


def _groups(result: Judgement) -> CaptionedFigure | None:
    dots = []
    for each in result.judged:
        groups = [(tests_named(group), score) for group, score in zip(
            result.groups, each.by_difficulty, strict=True)]  # fmt: skip
        groups += [
            (examples_named(group), score)
            for group, score in zip(result.memorized, each.by_memorization, strict=False)
        ]
        dots += [
            _Dot(each.name, group, score.lds, score.low, score.high)
            for group, score in groups
            if score.lds is not None and score.low is not None and score.high is not None
        ]
    if not dots:
        return None
    caption = (
        "The same by groups. Above, by test examples: those that so many of the judging models get "
        "right. Below, by training examples: the score of the sum over those of this memorization "
        "alone."
    )
    return CaptionedFigure(_drawn(result, dots, "linear datamodeling score", caption), caption)


def _removal(result: Judgement) -> CaptionedFigure | None:
    dots = [
        _Dot(each.name, f"without the {loss.removed:,} highest", loss.loss, loss.low, loss.high)
        for each in result.judged
        for loss in each.losses
    ]
    caption = (
        f"By how much the {result.outcome} of a test example falls without the training examples "
        "that score highest for it, beyond what removing as many random ones costs, with 95% "
        "intervals."
    )
    return CaptionedFigure(_drawn(result, dots, f"loss of {result.outcome}", caption), caption)


def _drawn(result: Judgement, dots: Sequence[_Dot], title: str, caption: str) -> Figure:
    """Draw a line for each group, with the best attributions beside each other."""
    names = [each.name for each in result.judged][: len(_COLOURS)]
    short = dict(zip(names, shortened(names, 40), strict=True))
    shown = [dot for dot in dots if dot.name in short]
    groups = list(dict.fromkeys(dot.group for dot in shown))
    rows = [
        {
            "of": short[dot.name],
            "group": dot.group,
            "x": dot.x,
            "low": dot.low,
            "high": dot.high,
            "tooltip": f"{dot.name}, {dot.group}: {dot.x:.3f}",
        }
        for dot in shown
    ]
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("group:N", title=None, sort=groups, axis=alt.Axis(labelLimit=220)),
        yOffset=alt.YOffset("of:N", sort=list(short.values())),
        color=coloured("of:N", dict(zip(short.values(), _COLOURS, strict=False)), symbol="circle"),
    )
    layers = [
        base.mark_rule(aria=False).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_point().encode(
            x=alt.X("x:Q", title=title), tooltip="tooltip:N", description="tooltip:N"
        ),
        _zero(),
    ]
    data = pa.table(
        {
            "scores": [dot.name for dot in dots],
            "group": [dot.group for dot in dots],
            "value": [dot.x for dot in dots],
            "ci_low": [dot.low for dot in dots],
            "ci_high": [dot.high for dot in dots],
        }
    )
    height = _MARGIN + len(groups) * (_ROW * len(names) + 10)
    return figure(layers, data, caption, height=height)


def _zero() -> alt.Chart:
    rule: alt.Chart = alt.Chart(values([{"x": 0}])).mark_rule(color=INK, aria=False)
    return rule.encode(x="x:Q")
