"""The figures ``typical_to_odd`` and ``pairs``: images of each class and of strong pairs."""

from typing import Any

import altair as alt
import pyarrow as pa

from memtail_core.analysis.analysis import Analysis
from memtail_core.data import Dataset, Examples
from memtail_core.drawing.axes import shortened
from memtail_core.drawing.charts import ORANGE, Figure, figure, values
from memtail_core.drawing.pictures import data_uri
from memtail_core.report.selection import Supporter, supporters

_PICTURE, _PITCH = 40, 47  # pixels
_WIDE, _HIGH = 64, 64  # of a picture with its number below
_MOST = 10  # supporters
_Row = dict[str, Any]


def typical_to_odd(analysis: Analysis, shown: list[tuple[int, list[int]]]) -> Figure:
    """Draw examples of each class from the least to the most memorized, the memorized framed.

    Args:
        analysis: of a study of images.
        shown: the examples of each class, from :func:`.selection.spread_by_class`.
    """
    dataset, scores = analysis.dataset, analysis.scores.memorization
    classes = [str(dataset.classes[label]) for label, _ in shown]
    names = shortened(classes)
    examples: list[_Row] = [
        {"class": classes[row], "index": i, "memorization": float(scores[i])}
        for row, (_, picks) in enumerate(shown)
        for i in picks
    ]
    at = [(row, column) for row, (_, picks) in enumerate(shown) for column in range(len(picks))]
    pictures = [
        {
            "x": _PITCH * (column + 0.5),
            "y": _PITCH * (row + 0.5),
            "picture": _picture(dataset, dataset.train, each["index"]),
            "framed": bool(analysis.rule.is_memorized(each["memorization"])),
            "said": f"{names[row]}, training example {each['index']}: memorization "
            f"{each['memorization']:.2f}",
        }
        for (row, column), each in zip(at, examples, strict=True)
    ]
    width, height = _PITCH * max(len(picks) for _, picks in shown), _PITCH * len(shown)
    labels = [{"x": -8, "y": _PITCH * (row + 0.5), "text": name} for row, name in enumerate(names)]
    foot = "least memorized → most memorized, within each class"
    layers = [
        *_pictures(pictures, width, height),
        _text(labels, align="right", fontSize=12),
        _text([{"x": width / 2, "y": height + 12, "text": foot}], fontSize=12),
    ]
    description = (
        f"Training examples of {len(shown)} classes, a row each, from typical to memorized."
    )
    table = pa.Table.from_pylist(examples)
    return figure(layers, table, description, width=width, height=height, is_fluid=False)


def strongest_pairs(analysis: Analysis) -> Figure:
    """Draw one row per training example: its picture, then the test examples that rest on it."""
    strongest = supporters(analysis)[:_MOST]
    pictures = [each for row, s in enumerate(strongest) for each in _supporter(analysis, s, row)]
    width = round(_WIDE * (1.5 + max(len(s.pairs) for s in strongest)))
    height = _HIGH * len(strongest)
    numbers = [
        {"x": each["x"], "y": each["y"] + _PICTURE / 2 + 9, "text": each["number"]}
        for each in pictures
    ]
    heads = [
        {"x": (_WIDE - _PICTURE) / 2, "y": -8, "text": "trained on"},
        {"x": 2 * _WIDE - _PICTURE / 2, "y": -8, "text": "test examples that rest on it"},
    ]
    layers = [
        *_pictures(pictures, width, height),
        _text(numbers, fontSize=10),
        _text(heads, align="left", fontSize=12),
    ]
    description = (
        f"The {len(strongest)} training examples of the strongest pairs with their memorization, "
        "each followed by the test examples that rest on it, with influence and standard error."
    )
    rows = [row for s in strongest for row in s.pairs]
    pairs = analysis.pairs
    table = pa.table(
        {
            "train_index": pairs.train_index[rows],
            "memorization": analysis.scores.memorization[pairs.train_index[rows]],
            "test_index": pairs.test_index[rows],
            "influence": pairs.influence[rows],
            "standard_error": pairs.standard_error[rows],
        }
    )
    return figure(layers, table, description, width=width, height=height, is_fluid=False)


def _supporter(analysis: Analysis, of: Supporter, row: int) -> list[_Row]:
    dataset, pairs, train = analysis.dataset, analysis.pairs, of.train_index
    y = row * _HIGH + _PICTURE / 2
    score = f"{analysis.scores.memorization[train]:.2f}"
    first: _Row = {
        "x": 0.5 * _WIDE,
        "y": y,
        "picture": _picture(dataset, dataset.train, train),
        "framed": True,
        "number": score,
        "said": f"training example {train}: memorization {score}",
    }
    others = []
    for column, pair in enumerate(of.pairs):
        test = int(pairs.test_index[pair])
        value = f"{pairs.influence[pair]:.2f} ± {pairs.standard_error[pair]:.2f}"
        others.append(
            {
                "x": _WIDE * (column + 2),
                "y": y,
                "picture": _picture(dataset, dataset.test, test),
                "framed": False,
                "number": value,
                "said": f"test example {test}: influence {value} of training example {train}",
            }
        )
    return [first, *others]


def _picture(dataset: Dataset, examples: Examples, i: int) -> str:
    return data_uri(dataset.modality.pictures(examples).take([i])[0], is_exact=True)


def _pictures(rows: list[_Row], width: float, height: float) -> list[alt.Chart]:
    at: _Row = {
        "x": alt.X("x:Q", scale=alt.Scale(domain=[0, width], nice=False), axis=None),
        "y": alt.Y("y:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None),
    }
    images = alt.Chart(values(rows)).mark_image(
        width=_PICTURE, height=_PICTURE, aspect=True, smooth=False
    )
    frames = alt.Chart(values([{"x": r["x"], "y": r["y"]} for r in rows if r["framed"]]))
    return [
        images.encode(**at, url="picture:N", tooltip="said:N", description="said:N"),
        frames.mark_point(
            shape="square", filled=False, size=(_PICTURE + 2) ** 2, color=ORANGE, strokeWidth=2,
            aria=False,
        ).encode(**at),
    ]  # fmt: skip


def _text(rows: list[_Row], **looks: Any) -> alt.Chart:
    marks = alt.Chart(values(rows)).mark_text(baseline="middle", **looks)
    made: alt.Chart = marks.encode(x="x:Q", y="y:Q", text="text:N")
    return made
