"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from memtail_core.report.analysis import Analysis
from memtail_core.report.drawing import Figure, inline_svg
from memtail_core.report.pictures import data_uri
from memtail_core.report.sections.section import Example, Section
from memtail_core.report.selection import most_memorized, spread_by_class, supporters

_SHOWN_FEATURES = 8


@dataclass(frozen=True)
class _Example:
    """One example as the page shows it; the scores are None for a test example."""

    index: int
    name: str
    label: str
    picture: str | None
    features: str
    is_memorized: bool = False
    memorization: float | None = None
    low: float | None = None
    high: float | None = None
    accuracy_in: float | None = None
    accuracy_out: float | None = None


@dataclass(frozen=True)
class _ClassRow:
    name: str
    n: int
    memorized: int
    mean: float
    held_out: float


def page(analysis: Analysis, figures: dict[str, Figure], sections: Sequence[Section] = ()) -> str:
    """Render the page; every name and label from the data is escaped."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    here = resources.files("memtail_core.report")
    template = environment.from_string((here / "page.html").read_text("utf-8"))
    spread = [
        (analysis.dataset.classes[label], [_train(analysis, i) for i in picks])
        for label, picks in spread_by_class(analysis)
    ]
    pairs = analysis.pairs
    supported = [
        (
            _train(analysis, s.train_index),
            [
                (_test(analysis, int(pairs.test_index[p])), pairs.influence[p],
                 pairs.standard_error[p])
                for p in s.pairs
            ],
            s.n_more,
        )
        for s in supporters(analysis)
    ]  # fmt: skip
    return template.render(
        a=analysis,
        summary=analysis.summary(),
        style=Markup((here / "page.css").read_text("utf-8")),
        figures={name: Markup(inline_svg(f)) for name, f in figures.items() if name in _INLINE},
        most_memorized=[_train(analysis, i) for i in most_memorized(analysis)],
        spread=spread,
        supported=supported,
        by_class=_by_class(analysis),
        sections=[_experiment(analysis, section) for section in sections],
        is_images=analysis.dataset.kind == "images",
        is_named=bool(analysis.dataset.train_names),
    )


_INLINE = ("memorization", "held_in_held_out")


def _experiment(analysis: Analysis, section: Section) -> dict[str, Any]:
    return {
        "of": section,
        "figures": [
            (Markup(inline_svg(drawn.figure)), drawn.caption) for drawn in section.figures.values()
        ],
        "galleries": [
            (gallery.title, [_shown(analysis, example) for example in gallery.examples])
            for gallery in section.galleries
        ],
    }


def _shown(analysis: Analysis, example: Example) -> dict[str, Any]:
    looks = (_test if example.is_test else _train)(analysis, example.index)
    kind = "test example" if example.is_test else "training example"
    return {"e": looks, "said": example.said, "kind": kind}


def _train(analysis: Analysis, i: int) -> _Example:
    dataset, scores = analysis.dataset, analysis.scores
    return _Example(
        index=i,
        name=dataset.train_name(i),
        label=dataset.classes[dataset.y_train[i]],
        **_looks(analysis, dataset.x_train[i]),
        is_memorized=bool(analysis.rule.is_memorized(scores.memorization[i])),
        memorization=float(scores.memorization[i]),
        low=float(scores.ci_low[i]),
        high=float(scores.ci_high[i]),
        accuracy_in=float(scores.accuracy_in[i]),
        accuracy_out=float(scores.accuracy_out[i]),
    )


def _test(analysis: Analysis, j: int) -> _Example:
    dataset = analysis.dataset
    return _Example(
        index=j,
        name=dataset.test_name(j),
        label=dataset.classes[dataset.y_test[j]],
        **_looks(analysis, dataset.x_test[j]),
    )


def _looks(analysis: Analysis, x: Any) -> dict[str, Any]:
    if analysis.dataset.kind == "images":
        return {"picture": data_uri(x), "features": ""}
    shown = _features(analysis.dataset.features, x)
    more = ", …" if len(shown) > _SHOWN_FEATURES else ""
    return {"picture": None, "features": ", ".join(shown[:_SHOWN_FEATURES]) + more}


def _features(names: Sequence[str], x: Any) -> list[str]:
    """Every feature with its name; of a column of words, the one word."""
    if not names:
        return [f"{value:.4g}" for value in x]
    return [
        name if "=" in name and value == 1 else f"{name} {value:.4g}"
        for name, value in zip(names, x, strict=True)
        if "=" not in name or value != 0
    ]


def _by_class(analysis: Analysis) -> list[_ClassRow]:
    rows = []
    scores, y = analysis.scores, analysis.dataset.y_train
    for label, name in enumerate(analysis.dataset.classes):
        members = (y == label) & ~np.isnan(scores.memorization)
        if not members.any():
            continue
        values = scores.memorization[members]
        rows.append(
            _ClassRow(
                name=name,
                n=int((y == label).sum()),
                memorized=int(analysis.rule.is_memorized(values).sum()),
                mean=float(values.mean()),
                held_out=float(scores.accuracy_out[members].mean()),
            )
        )
    return sorted(rows, key=lambda row: -row.mean)
