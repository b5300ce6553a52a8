"""Figure of removal: test accuracy without the memorized examples and without random ones."""

import altair as alt
import pyarrow as pa

from memtail_core.drawing.charts import BLUE, ORANGE, Figure, figure, values
from memtail_core.drawing.lines import Point, lines
from memtail_core.drawing.section import CaptionedFigure
from memtail_core.experiments.removal.result import Removal, Removed

_MEMORIZED, _RANDOM = "memorized examples removed", "random examples removed"
_CAPTION = (
    "Test accuracy of networks trained without the examples that reach a memorization (orange, "
    "the threshold beside each point) and without as many random ones (blue): mean and standard "
    "deviation over repeats. Grey: nothing removed. Diamonds: without the training examples of "
    "the high-influence pairs."
)


def figures(result: Removal) -> dict[str, CaptionedFigure]:
    """Draw accuracy over the share of the training set that is left."""
    return {result.name: CaptionedFigure(_figure(result), _CAPTION)}


def left_of_whole(result: Removal) -> float:
    """Return the share of the training set that is left before anything is removed."""
    return 1 - (result.deduplicated or 0) / result.examples


def _figure(result: Removal) -> Figure:
    cuts = [cut for cut in result.cuts if cut.threshold is not None]
    of_pairs = [cut for cut in result.cuts if cut.threshold is None]
    kept = 100 * left_of_whole(result)
    least = min((100 * cut.left for cut in result.cuts), default=kept - 1)
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
        *_whole(result),
        *lines(_points(cuts), x, y, colours),
        *diamonds,
        *(  # below and above in turn, so that near ones do not overlap
            alt.Chart(values(numbers[first::2]))
            .mark_text(align="right", dx=-6, dy=dy, aria=False)
            .encode(x="x:Q", y="y:Q", text="text:N")
            for first, dy in ((0, 11), (1, -11))
            if numbers[first::2]
        ),
    ]
    return figure(layers, _table(result), _CAPTION, height=260)


def _points(cuts: list[Removed]) -> list[Point]:
    """Return the points without memorized examples, then those without random ones."""
    return [
        Point(name, 100 * cut.left, 100 * arm.mean, _tooltip(cut, name, arm.mean, arm.sd), spread)
        for name, which in ((_MEMORIZED, "memorized"), (_RANDOM, "random"))
        for cut in cuts
        for arm in [getattr(cut, which)]
        for spread in [None if arm.sd is None else 100 * arm.sd]
    ]


def _tooltip(cut: Removed, name: str, mean: float, sd: float | None) -> str:
    what = "of pairs" if cut.threshold is None else f"memorization ≥ {cut.threshold:g}"
    deviation = "" if sd is None else f" ± {100 * sd:.2f}"
    return f"{name} ({what}; {cut.removed:,}): {100 * mean:.2f}{deviation}% correct"


def _whole(result: Removal) -> list[alt.Chart]:
    mean, sd = 100 * result.whole.mean, 100 * (result.whole.sd or 0.0)
    at = alt.Chart(
        values(
            [
                {
                    "y": mean,
                    "low": mean - sd,
                    "high": mean + sd,
                    "tooltip": f"nothing removed: {mean:.2f}% correct",
                }
            ]
        )
    )
    return [
        at.mark_rect(opacity=0.1, color="#808080", aria=False).encode(y="low:Q", y2="high:Q"),
        at.mark_rule(color="#808080").encode(y="y:Q", tooltip="tooltip:N", description="tooltip:N"),
    ]


def _table(result: Removal) -> pa.Table:
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
        for cut in result.cuts
        for arm in [getattr(cut, which)]
    ]
    whole = {
        "removed": "nothing",
        "threshold": None,
        "examples": 0,
        "left": left_of_whole(result),
        "accuracy": result.whole.mean,
        "sd": result.whole.sd,
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
