"""An analysis as a few lines of text, and as the HTML that a notebook shows."""

from collections.abc import Iterator
from html import escape
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing.charts import inline_svg
from memtail_core.drawing.pictures import data_uri
from memtail_core.estimation import Memorization
from memtail_core.report.exploration.feature_text import words
from memtail_core.report.histograms import memorization as histogram

_SHOWN = 5  # examples
_LONGEST = 160  # characters of a text

_TABLE = "style='border-collapse:collapse;text-align:left'"
_CELL = "style='text-align:left;padding:2px 10px 2px 0;vertical-align:middle'"


def lines(analysis: Analysis) -> Iterator[str]:
    """Yield the study, what came of it, and what to beware of."""
    yield analysis.study.id
    yield from (f"  {name:<10}{value}" for name, value in _facts(analysis))
    for warning in analysis.warnings:
        yield f"  Warning: {warning}"


def html(analysis: Analysis) -> str:
    """The same as a table, with a histogram and the most memorized examples; names are escaped."""
    facts = "".join(_row(f"<b>{name}</b>", escape(value)) for name, value in _facts(analysis))
    warnings = "".join(f"<div>Warning: {escape(each)}</div>" for each in analysis.warnings)
    return (
        f"<div><div><b>{escape(analysis.study.id)}</b></div><table {_TABLE}>{facts}</table>"
        f"{warnings}<div style='max-width:480px'>{inline_svg(histogram(analysis))}</div>"
        f"{_most_memorized(analysis)}</div>"
    )


def most_memorized(scores: Memorization, n: int) -> NDArray[np.int64]:
    """The n examples of the highest memorization that is known, int64, the highest first."""
    known = np.flatnonzero(~np.isnan(scores.memorization))
    return known[np.argsort(-scores.memorization[known], kind="stable")[:n]]


def _facts(analysis: Analysis) -> Iterator[tuple[str, str]]:
    scored, memorized = analysis.n_scored, analysis.n_memorized
    share = f", {memorized / scored:.1%}" if scored else ""
    yield "models", f"{len(analysis.trials):,} of {analysis.study.training['recipe']}"
    yield (
        "memorized",
        f"{memorized:,} of {scored:,} scored training examples{share} "
        f"({analysis.n_surely_memorized:,} with the whole 95% interval)",
    )
    chance = min(analysis.pairs.expected_by_chance, len(analysis.pairs))
    yield "pairs", f"{len(analysis.pairs):,} of high influence, about {chance:,.0f} by chance"
    means = {name: float(np.mean(each)) for name, each in vars(analysis.accuracies).items()}
    said = [f"{name.replace('_', ' ')} {mean:.1%}" for name, mean in means.items()]
    is_known = [not np.isnan(mean) for mean in means.values()]
    yield (
        "accuracy" if analysis.dataset.is_labelled else "reproduced",
        ", ".join(compress(said, is_known)),
    )


def _most_memorized(analysis: Analysis) -> str:
    """The first few examples by memorization, each with its interval."""
    scores, dataset = analysis.scores, analysis.dataset
    order = most_memorized(scores, _SHOWN)
    if not len(order):
        return ""
    head = "".join(
        f"<th {_CELL}>{each}</th>" for each in ("most memorized", "class", "", "memorization")
    )
    rows = "".join(
        _row(
            escape(dataset.train_name(i)),
            escape(dataset.classes[dataset.y_train[i]]),
            _example(analysis, i),
            f"{scores.memorization[i]:.2f} ({scores.ci_low[i]:.2f} to {scores.ci_high[i]:.2f})",
        )
        for i in order.tolist()
    )
    return f"<table {_TABLE}><tr>{head}</tr>{rows}</table>"


def _example(analysis: Analysis, row: int) -> str:
    """A picture of a training example, or what can be said of it."""
    dataset = analysis.dataset
    if dataset.modality.is_pictured and dataset.is_shown:
        pixels = dataset.modality.pictures(dataset.train).take([row])[0]
        style = "width:48px;image-rendering:pixelated"
        return f"<img alt='' style='{style}' src='{data_uri(pixels)}'>"
    return escape(words(dataset, "train", row)[:_LONGEST]) if dataset.is_shown else ""


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td {_CELL}>{cell}</td>" for cell in cells) + "</tr>"
