"""Test accuracy without the memorized examples and without random ones, drawn."""

import altair as alt
import pyarrow as pa

from memtail_core.drawing.charts import BLUE, ORANGE, Figure, figure, values
from memtail_core.drawing.lines import Point, lines
from memtail_core.drawing.section import Drawn
from memtail_core.experiments.removal.plan import Removal, Removed

_MEMORIZED, _RANDOM = "memorized examples removed", "random examples removed"
_CAPTION = (
    "Test accuracy of networks trained without the examples of memorization from some value on "
    "(orange, the value beside it) and without as many random ones (blue): mean and standard "
    "deviation over repeats. Grey: nothing removed. Diamonds: without the training examples of "
    "the high-influence pairs."
)


def figures(found: Removal) -> dict[str, Drawn]:
    """The curve."""
    return {found.name: Drawn(_figure(found), _CAPTION)}


def left_of_whole(found: Removal) -> float:
    """The share of the training set that is left with nothing more removed."""
    return 1 - (found.deduplicated or 0) / found.examples


def _figure(found: Removal) -> Figure:
    cuts = [cut for cut in found.cuts if cut.threshold is not None]
    of_pairs = [cut for cut in found.cuts if cut.threshold is None]
    kept = 100 * left_of_whole(found)
    least = min((100 * cut.left for cut in found.cuts), default=kept - 1)
    margin = 0.04 * max(1.0, kept - least)
    span = [max(0.0, least - 2 * margin), kept + margin]
    x = alt.X(
        "x:Q", title="training set left (%)", scale=alt.Scale(domain=span, nice=False, reverse=True)
    )
    y = alt.Y("y:Q", title="test accuracy (%)", scale=alt.Scale(zero=False, padding=8))
    colours = {_MEMORIZED: ORANGE, _RANDOM: BLUE}
    diamonds = lines(_points(of_pairs), x, y, colours, is_joined=False)
    diamonds[-1] = diamonds[-1].mark_point(shape="diamond", size=90)
    numbers = [
        {"x": p.x, "y": p.y, "text": f"{cut.threshold:g}"}
        for p, cut in zip(_points(cuts)[: len(cuts)], cuts, strict=True)
    ]
    layers = [
        *_whole(found),
        *lines(_points(cuts), x, y, colours),
        *diamonds,
        alt.Chart(values(numbers))
        .mark_text(align="right", dx=-6, dy=11, aria=False)
        .encode(x="x:Q", y="y:Q", text="text:N"),
    ]
    return figure(layers, _table(found), _CAPTION, height=260)


def _points(cuts: list[Removed]) -> list[Point]:
    """Those without memorized examples first."""
    return [
        Point(name, 100 * cut.left, 100 * arm.mean, _said(cut, name, arm.mean, arm.sd), spread)
        for name, which in ((_MEMORIZED, "memorized"), (_RANDOM, "random"))
        for cut in cuts
        for arm in [getattr(cut, which)]
        for spread in [None if arm.sd is None else 100 * arm.sd]
    ]


def _said(cut: Removed, name: str, mean: float, sd: float | None) -> str:
    what = "of pairs" if cut.threshold is None else f"memorization ≥ {cut.threshold:g}"
    deviation = "" if sd is None else f" ± {100 * sd:.2f}"
    return f"{name} ({what}; {cut.removed:,}): {100 * mean:.2f}{deviation}% correct"


def _whole(found: Removal) -> list[alt.Chart]:
    mean, sd = 100 * found.whole.mean, 100 * (found.whole.sd or 0.0)
    at = alt.Chart(
        values(
            [
                {
                    "y": mean,
                    "low": mean - sd,
                    "high": mean + sd,
                    "said": f"nothing removed: {mean:.2f}% correct",
                }
            ]
        )
    )
    return [
        at.mark_rect(opacity=0.1, color="#808080", aria=False).encode(y="low:Q", y2="high:Q"),
        at.mark_rule(color="#808080").encode(y="y:Q", tooltip="said:N", description="said:N"),
    ]


def _table(found: Removal) -> pa.Table:
    rows = [
        {
            "removed": name,
            "threshold": cut.threshold,
            "examples": cut.removed,
            "left": cut.left,
            "accuracy": arm.mean,
            "sd": arm.sd,
        }
        for name, which in (("memorized", "memorized"), ("random", "random"))
        for cut in found.cuts
        for arm in [getattr(cut, which)]
    ]
    whole = {
        "removed": "nothing",
        "threshold": None,
        "examples": 0,
        "left": left_of_whole(found),
        "accuracy": found.whole.mean,
        "sd": found.whole.sd,
    }
    return pa.Table.from_pylist([whole, *rows], _SCHEMA)


_SCHEMA = pa.schema(
    {
        "removed": pa.string(),
        "threshold": pa.float64(),
        "examples": pa.int64(),
        "left": pa.float64(),
        "accuracy": pa.float64(),
        "sd": pa.float64(),
    }
)
