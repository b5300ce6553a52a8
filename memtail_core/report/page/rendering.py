"""Renders the report as one HTML file that needs no network, no server and no other file."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from memtail_core.analysis.analysis import Analysis
from memtail_core.data import NO_ACCOUNT, Account
from memtail_core.drawing.charts import Figure, javascript
from memtail_core.drawing.section import Section
from memtail_core.report.exploration.token_shades import TokenShades
from memtail_core.report.page.charts import Chart, chart
from memtail_core.report.page.class_rows import class_rows
from memtail_core.report.page.examples import of_experiment, of_test, of_train
from memtail_core.report.page.inline_scripts import as_json, policy, script
from memtail_core.report.page.spectrum import spectrum
from memtail_core.report.page.templating import read, templates
from memtail_core.report.selection import most_memorized, spread_by_class, supporters

_SCRIPTS = (  # in this order, as one script
    "data",
    "elements",
    "wording",
    "sprites",
    "shared_words",
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
_SCRIPTED = 'document.documentElement.classList.add("scripted");'  # before the page is drawn
_CAPTIONS = {
    "memorization": "Training examples by memorization. Orange bars are memorized examples.",
    "influence": "Pairs of a memorized training example and a test example, by influence.",
    "held_in_held_out": (
        "Training examples by the accuracy of models that held them out and of models trained on "
        "them. On the diagonal, training on an example makes no difference; memorization is the "
        "height above the diagonal."
    ),
    "by_class": (
        "The memorized share of each class. Lines run from surely to possibly memorized examples."
    ),
}
_WITHOUT_SCRIPT = 24  # most memorized examples, and half as many training examples of pairs


def page(
    analysis: Analysis,
    figures: Mapping[str, Figure],
    sections: Sequence[Section] = (),
    exploration: Mapping[str, Any] | None = None,
    account: Account = NO_ACCOUNT,
    shades: TokenShades | None = None,
) -> str:
    """Render the page; every name and label from the data is escaped.

    Args:
        analysis: the study's scores and pairs.
        figures: figures by name; those without a place in the page are left out.
        sections: the sections of experiments.
        exploration: the encoded data of the explorer; if None, the page has plain lists instead.
        account: what was read when the data came in.
        shades: of the tokens of training documents.
    """
    trained = partial(of_train, analysis, shades=shades)
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
    data, sheets = (None, {}) if exploration is None else _data(exploration)
    is_images = analysis.dataset.modality.is_pictured
    return (
        templates()
        .get_template("page.html")
        .render(
            a=analysis,
            account=account,
            summary=analysis.summary(),
            policy=policy([_SCRIPTED, main, drawing] if drawing else [_SCRIPTED, main]),
            style=Markup(read("page.css")),
            scripted=Markup(_SCRIPTED),
            main=Markup(main),
            drawing=Markup(drawing),
            charts=charts,
            sources=as_json({each.name: each.source for each in every}),
            data=None if data is None else as_json(data),
            sheets=sheets,
            sample=exploration if exploration and "rows" in exploration["train"] else None,
            spectrum=[(each, [trained(i) for i in each.shown]) for each in spectrum(analysis)]
            if is_images
            else [],
            spread=[
                (analysis.dataset.classes[label], [trained(i) for i in picks])
                for label, picks in spread_by_class(analysis)
            ],
            most_memorized=[trained(i) for i in most_memorized(analysis)[:_WITHOUT_SCRIPT]],
            supported=_supported(analysis),
            is_shaded=shades is not None,
            by_class=class_rows(analysis),
            sections=of_sections,
            answers={name: _answer(sections, name) for name in ("removal", "stability")},
            is_images=is_images,
            is_text=analysis.dataset.texts is not None,
            is_named=bool(analysis.dataset.train_names),
        )
    )


def _joined() -> str:
    """Join all scripts in one function, so that they share names with each other alone."""
    parts = "\n".join(read(f"scripts/{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _data(
    exploration: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Sequence[str]]]:
    """Return the data that the script reads at the start, and the sheets that it reads later."""
    images: dict[str, Sequence[str]] = {}
    sheets: dict[str, Any] = {}
    for name, sheet in exploration["sheets"].items():
        images[name] = sheet["images"] if sheet else ()
        sheets[name] = {**sheet, "images": len(images[name])} if sheet else None
    return {**exploration, "sheets": sheets}, images


def _answer(sections: Sequence[Section], name: str) -> str:
    """The main finding of an experiment, if it was run."""
    return next((each.findings[0] for each in sections if each.name == name and each.findings), "")


def _experiment(analysis: Analysis, section: Section, names: set[str]) -> dict[str, Any]:
    """Return the content of a section; adds the unique names of its charts to ``names``."""
    charts: list[Chart] = []
    for name, drawn in section.figures.items():
        unique = next(each for each in _numbered(name) if each not in names)
        names.add(unique)
        charts.append(chart(unique, drawn.figure, drawn.caption))
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
