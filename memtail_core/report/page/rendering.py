"""The report as one HTML file that needs nothing else: no network, no server, no other file."""

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing.charts import Figure, javascript
from memtail_core.drawing.section import Section
from memtail_core.report.page.charts import Chart, chart
from memtail_core.report.page.embedding import as_json, policy, script
from memtail_core.report.page.examples import of_experiment, of_test, of_train
from memtail_core.report.page.spectrum import spectrum
from memtail_core.report.selection import most_memorized, spread_by_class, supporters

_SCRIPTS = (  # in this order; together they are one script
    "data",
    "elements",
    "wording",
    "sprites",
    "selection",
    "grid",
    "tiles",
    "gallery",
    "pairs",
    "example",
    "downloads",
    "charts",
    "start",
)
_SCRIPTED = 'document.documentElement.classList.add("scripted");'  # before anything is drawn
_CAPTIONS = {
    "memorization": "How many training examples are memorized how much; orange: memorized.",
    "influence": "How many pairs of a training and a test example have how much influence.",
    "held_in_held_out": (
        "Each training example: on the diagonal it makes no difference whether a model trained on "
        "it; memorization is the height above."
    ),
    "by_class": "How much of each class is memorized.",
}
_MEMORIZED, _SURELY, _POSSIBLY = 1, 2, 4  # bits of an example's standing
_WITHOUT_SCRIPT = 24  # of the most memorized examples, and half as many supporters


@dataclass(frozen=True)
class _ClassRow:
    name: str
    n: int
    memorized: int
    mean: float
    held_out: float


def page(
    analysis: Analysis,
    figures: Mapping[str, Figure],
    sections: Sequence[Section] = (),
    exploration: Mapping[str, Any] | None = None,
) -> str:
    """Render the page; every name and label from the data is escaped.

    Args:
        analysis: what was found.
        figures: its figures by name; those the page has no place for are left out.
        sections: what experiments add.
        exploration: the data of galleries and dialogs, encoded; without them, lists alone.
    """
    charts = {
        name: chart(name, figures[name], caption)
        for name, caption in _CAPTIONS.items()
        if name in figures
    }
    names = set(charts)
    of_sections = [_experiment(analysis, section, names) for section in sections]
    every = [*charts.values(), *(each for s in of_sections for each in s["charts"])]
    main = script(_joined())
    drawing = script(javascript()) if every else ""
    data, sheets = (None, {}) if exploration is None else _data(analysis, exploration)
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("memtail_core.report.page"),
    )
    environment.filters["two"] = _two
    is_images = analysis.dataset.modality.is_pictured
    return environment.get_template("page.html").render(
        a=analysis,
        summary=analysis.summary(),
        policy=policy([_SCRIPTED, main, drawing] if drawing else [_SCRIPTED, main]),
        style=Markup(_read("page.css")),
        scripted=Markup(_SCRIPTED),
        main=Markup(main),
        drawing=Markup(drawing),
        charts=charts,
        sources=as_json({each.name: each.source for each in every}),
        data=None if data is None else as_json(data),
        sheets=sheets,
        spectrum=[
            (each, [of_train(analysis, i) for i in each.shown]) for each in spectrum(analysis)
        ]
        if is_images
        else [],
        spread=[
            (analysis.dataset.classes[label], [of_train(analysis, i) for i in picks])
            for label, picks in spread_by_class(analysis)
        ],
        most_memorized=[of_train(analysis, i) for i in most_memorized(analysis)[:_WITHOUT_SCRIPT]],
        supported=_supported(analysis),
        by_class=_by_class(analysis),
        sections=of_sections,
        said={name: _said(sections, name) for name in ("removal", "stability")},
        is_images=is_images,
        is_named=bool(analysis.dataset.train_names),
    )


def _two(value: float) -> str:
    """Two decimals, and no zero below zero."""
    text = f"{value:.2f}"
    return text.replace("-", "−" if float(text) else "")


def _read(name: str) -> str:
    return (resources.files("memtail_core.report.page") / name).read_text("utf-8")


def _joined() -> str:
    """All scripts as one function: they see each other, and nothing else sees them."""
    parts = "\n".join(_read(f"scripts/{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _data(
    analysis: Analysis, exploration: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Sequence[str]]]:
    """What the script reads at once; apart, the pictures, read when they are looked at.

    The script is told which examples are memorized: its rounded numbers would not always tell.
    """
    scores, is_memorized = analysis.scores, analysis.rule.is_memorized
    standing = (
        _MEMORIZED * is_memorized(scores.memorization)
        + _SURELY * is_memorized(scores.ci_low)
        + _POSSIBLY * is_memorized(scores.ci_high)
    )
    encoded = base64.b64encode(standing.astype(np.uint8).tobytes()).decode()
    images: dict[str, Sequence[str]] = {}
    sheets: dict[str, Any] = {}
    for name, sheet in exploration["sheets"].items():
        images[name] = sheet["images"] if sheet else ()
        sheets[name] = {**sheet, "images": len(images[name])} if sheet else None
    data = {**exploration, "train": {**exploration["train"], "standing": encoded}, "sheets": sheets}
    return data, images


def _said(sections: Sequence[Section], name: str) -> str:
    """The answer of an experiment in a sentence, if it was run."""
    return next((each.findings[0] for each in sections if each.name == name and each.findings), "")


def _experiment(analysis: Analysis, section: Section, names: set[str]) -> dict[str, Any]:
    """What a section shows; its charts get names of their own, which are added to ``names``."""
    charts: list[Chart] = []
    for name, drawn in section.figures.items():
        own = next(each for each in _numbered(name) if each not in names)
        names.add(own)
        charts.append(chart(own, drawn.figure, drawn.caption))
    galleries = [
        (gallery.title, [of_experiment(analysis, example) for example in gallery.examples])
        for gallery in section.galleries
    ]
    return {"of": section, "charts": charts, "galleries": galleries}


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{k}" for k in itertools.count(2))


def _supported(analysis: Analysis) -> list[tuple[Any, list[tuple[Any, float, float]], int]]:
    pairs = analysis.pairs
    return [
        (
            of_train(analysis, s.train_index),
            [
                (
                    of_test(analysis, int(pairs.test_index[p])),
                    float(pairs.influence[p]),
                    float(pairs.standard_error[p]),
                )
                for p in s.pairs
            ],
            s.n_more,
        )
        for s in supporters(analysis)[: _WITHOUT_SCRIPT // 2]
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
