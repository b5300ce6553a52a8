"""The report's figures with matplotlib, for the page (SVG) and for a paper (PNG, SVG)."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from memtail_core.report.analysis import Analysis
from memtail_core.report.drawing import BLUE, INK, ORANGE, STYLE, panel
from memtail_core.report.pictures import canvas, pitch
from memtail_core.report.selection import spread_by_class, supporters


def figures(analysis: Analysis) -> dict[str, Figure]:
    """Every figure of the report by file name, without its ending."""
    with mpl.rc_context(STYLE):
        made = {"memorization": _histogram(analysis), "held_in_held_out": _accuracies(analysis)}
        if analysis.dataset.kind == "images":
            if shown := spread_by_class(analysis):
                made["typical_to_odd"] = _typical_to_odd(analysis, shown)
            if len(analysis.pairs):
                made["pairs"] = _pairs(analysis)
        return made


def _histogram(analysis: Analysis) -> Figure:
    values = analysis.scores.memorization
    values = values[~np.isnan(values)]
    theta = analysis.rule.theta_mem

    def draw(axes: Axes) -> None:
        first = min(-1, int(np.floor(values.min(initial=0.0) * 20)))
        edges = np.arange(first, 21) / 20  # exact at 1, where the most memorized are
        _, _, bars = axes.hist(values, edges.tolist(), color=BLUE)
        for bar, left in zip(bars, edges, strict=False):  # type: ignore[arg-type]
            if left >= theta - 1e-9:
                bar.set_facecolor(ORANGE)
        axes.axvline(theta, color=INK, linewidth=1, linestyle="--")
        if len(values):
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.7)  # a single example is a bar too
        axes.annotate(
            f"memorized: {analysis.n_memorized:,}",
            (theta, 1),
            (4, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
        )
        axes.set_xlabel("memorization")
        axes.set_ylabel("training examples (log scale)")

    return panel(6, 2.8, draw)


def _accuracies(analysis: Analysis) -> Figure:
    scores = analysis.scores

    def draw(axes: Axes) -> None:
        known = ~np.isnan(scores.memorization)
        memorized = analysis.rule.is_memorized(scores.memorization)
        for chosen, colour, name in (
            (known & ~memorized, BLUE, "others"),
            (memorized, ORANGE, "memorized"),
        ):
            axes.scatter(
                scores.accuracy_out[chosen],
                scores.accuracy_in[chosen],
                s=9,
                color=colour,
                alpha=0.5,
                linewidths=0,
                label=name,
                rasterized=True,
            )
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlabel("accuracy of models that held it out")
        axes.set_ylabel("accuracy of models\ntrained on it")
        axes.legend(frameon=False, loc="lower right")

    return panel(6, 2.8, draw)


def _typical_to_odd(analysis: Analysis, shown: list[tuple[int, list[int]]]) -> Figure:
    x = analysis.dataset.x_train
    sheet = canvas([[x[i] for i in picks] for _, picks in shown])
    figure = Figure(figsize=(6, 6 * sheet.shape[0] / sheet.shape[1] + 0.4))
    axes = figure.add_subplot()
    axes.imshow(sheet, interpolation="nearest")
    down, _ = pitch(x)
    names = [_short(analysis.dataset.classes[label]) for label, _ in shown]
    axes.set_yticks([(r + 0.5) * down for r in range(len(shown))], names, parse_math=False)
    axes.set_xticks([])
    axes.set_xlabel("least memorized  →  most memorized, within each class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _pairs(analysis: Analysis) -> Figure:
    found = supporters(analysis)[:10]
    train, test = analysis.dataset.x_train, analysis.dataset.x_test
    rows = [
        [train[s.train_index], None, *(test[analysis.pairs.test_index[p]] for p in s.pairs)]
        for s in found
    ]
    sheet = canvas(rows)
    figure = Figure(figsize=(0.6 * max(map(len, rows)) + 1, 0.6 * len(rows) + 0.4))
    axes = figure.add_subplot()
    axes.imshow(sheet, interpolation="nearest")
    down, across = pitch(train)
    for row, s in enumerate(found):
        numbers = {0: analysis.scores.memorization[s.train_index]}
        numbers |= {2 + i: analysis.pairs.influence[p] for i, p in enumerate(s.pairs)}
        for column, number in numbers.items():
            axes.text(
                (column + 0.88) * across,
                (row + 0.86) * down,
                f"{number:.2f}",
                color="white",
                fontsize=7,
                ha="right",
                va="bottom",
                path_effects=[withStroke(linewidth=2, foreground="black")],
            )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("training example (memorization),\ntest examples that rest on it (influence)")
    axes.spines[:].set_visible(False)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"
