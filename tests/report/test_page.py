"""The page as text: what it says, what it holds, and what it lets run."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core.analysis import Analysis, analyse
from memtail_core.data import Dataset
from memtail_core.estimation.counted import Counted
from memtail_core.report.exploration import encoded, explore
from memtail_core.report.figures import figures
from memtail_core.report.page import linked, page
from memtail_core.report.page.inline_scripts import as_json, script
from memtail_core.report.page.spectrum import spectrum
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.conftest import Trained
from tests.report.test_sections import section

NASTY = "</script><script>alert(1)</script>\"'<!--"


class Read(HTMLParser):
    """What a browser makes of a page's text.

    Attributes:
        scripts: of each script its type ("" of those that run), its id and its content.
        addresses: of every link and picture. tags: every element's name.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[tuple[str, str, str]] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.policy = ""
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = {name: value or "" for name, value in attrs}
        self.addresses += [found[a] for a in ("src", "href", "xlink:href") if a in found]
        assert not [name for name in found if name.startswith("on")], "no handler in an attribute"
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append((found.get("type", ""), found.get("id", ""), ""))

    def handle_data(self, data: str) -> None:
        if self._in_script:
            kind, name, content = self.scripts[-1]
            self.scripts[-1] = kind, name, content + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._in_script = False

    def json(self, name: str) -> Any:
        return next(json.loads(text) for _, id_, text in self.scripts if id_ == name)


@pytest.fixture(scope="module")
def analysis(trained: Trained) -> Analysis:
    return trained.analysis


@pytest.fixture(scope="module")
def html(analysis: Analysis) -> str:
    return page(analysis, figures(analysis), (), encoded(explore(analysis)))


def words(html: str) -> str:
    return " ".join(html.split())


def test_the_page_needs_nothing_but_itself(html: str) -> None:
    read = Read(html)
    assert read.addresses
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in read.addresses)
    assert not read.tags & {"link", "iframe", "object", "embed", "base"}
    assert len(html) < 4_000_000


def test_only_its_own_scripts_may_run(html: str) -> None:
    """Those that run at once, and the charting library, which they run later."""
    read = Read(html)
    running = [text for kind, name, text in read.scripts if not kind or name == "drawing"]
    digests = {
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in running
    }
    assert len(digests) == 3
    rules = dict(rule.split(" ", 1) for rule in read.policy.split("; "))
    assert set(rules.pop("script-src").split()) == digests
    assert rules == {
        "default-src": "'none'",
        "img-src": "data: blob:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_opens_with_the_answer(html: str, analysis: Analysis) -> None:
    answer = words(html).partition("</header>")[0]
    assert f"<b>{analysis.n_memorized}</b> of 300 training examples" in answer
    surely, possibly = analysis.n_surely_memorized, analysis.n_possibly_memorized
    assert f"{surely} surely, {possibly} possibly" in answer
    assert "The scores come from 40 models, with a standard error of at most" in answer
    for warning in analysis.warnings:
        assert warning[1:] in answer


def test_the_page_names_the_estimator(analysis: Analysis) -> None:
    counted = words(page(analysis, {}))
    assert "intervals are those of Agresti" in counted
    other = replace(analysis, estimator=Counted(name="another"))
    html = words(page(other, {}))
    assert "40 models and the estimator “another”, with" in html
    assert "estimated by the estimator “another”" in html
    assert "Agresti" not in html


def test_the_answer_tells_what_experiments_found(analysis: Analysis) -> None:
    sections = [
        replace(section(words=f"It costs {name}."), name=name) for name in ("removal", "stability")
    ]
    without = page(analysis, {}).partition("</header>")[0]
    answer = page(analysis, {}, sections).partition("</header>")[0]
    for name in ("removal", "stability"):
        assert f"It costs {name}." in answer
        assert f"It costs {name}." not in without


def test_pairs_that_chance_explains_support_no_prediction(analysis: Analysis) -> None:
    pairs = replace(analysis.pairs, expected_by_chance=0.2)
    sure = words(page(replace(analysis, pairs=pairs), {}))
    n = len(np.unique(pairs.test_index))
    assert f"<b>{n}</b> of 100 test predictions rest on one or more of them" in sure
    pairs = replace(pairs, expected_by_chance=0.9 * len(pairs))
    assert "too few models to say which predictions rest on them" in words(
        page(replace(analysis, pairs=pairs), {})
    )


def test_names_from_the_data_are_only_text(analysis: Analysis) -> None:
    dataset = replace(
        analysis.dataset,
        classes=(NASTY, r"$\foo$ $5-$10", *analysis.dataset.classes[2:]),
        train_names=(NASTY,) * 300,
        test_names=(NASTY,) * 100,
    )
    changed = replace(analysis, dataset=dataset)
    read = Read(page(changed, figures(changed), (), encoded(explore(changed))))
    assert len([kind for kind, _, _ in read.scripts if not kind]) == 2
    assert not any("alert(1)" in text for kind, _, text in read.scripts if not kind)
    data = read.json("data")
    assert data["classes"][0] == data["train"]["names"][7] == NASTY


def test_data_and_code_cannot_end_their_element() -> None:
    value = {"</script>": ["<!--", "\u2028", 0.5]}
    assert "<" not in as_json(value)
    assert json.loads(as_json(value)) == value
    with pytest.raises(ValueError, match="Out of range"):
        as_json(float("nan"))
    assert script("a = '</script><!--';\r\n") == "a = '<\\/script><\\!--';\n"


def test_who_is_memorized_is_told_and_not_read_off_rounded_numbers(analysis: Analysis) -> None:
    """0.24996 rounds to 0.25, and is below it."""
    values = np.zeros(300)
    values[:3] = 0.24996, 0.25, 0.7 - 0.45  # which is 0.25, and in floating point a little less
    scores = replace(analysis.scores, memorization=values, ci_low=values - 0.1, ci_high=values)
    changed = replace(analysis, scores=scores)
    data = Read(page(changed, {}, (), encoded(explore(changed)))).json("data")
    standing = np.frombuffer(base64.b64decode(data["train"]["standing"]), np.uint8)
    memorized, possibly = 1, 4
    assert standing[:4].tolist() == [0, memorized + possibly, memorized + possibly, 0]


def test_the_spectrum_counts_every_score_in_its_column(analysis: Analysis) -> None:
    values = np.linspace(-0.3, 1.0, 300)
    values[::7] = np.nan
    columns = spectrum(replace(analysis, scores=replace(analysis.scores, memorization=values)))
    known = values[~np.isnan(values)]
    assert sum(column.n for column in columns) == len(known)
    assert columns[0].n == (known < 1 / 16).sum()
    assert columns[-1].n == (known >= 15 / 16).sum()
    for column in columns[1:]:
        assert len(column.shown) == len(set(column.shown)) > 0
        assert all(column.low <= values[i] <= column.high for i in column.shown)
    heights = {column.n: len(column.shown) for column in columns}
    assert [heights[n] for n in sorted(heights)] == sorted(heights.values())


def test_the_threshold_begins_a_column(analysis: Analysis) -> None:
    values = np.zeros(300)
    values[:5] = 0.7 - 0.45
    columns = spectrum(replace(analysis, scores=replace(analysis.scores, memorization=values)))
    assert {column.low: column.n for column in columns if column.n} == {0: 295, 0.25: 5}


def test_all_that_the_page_links_to_is_known(analysis: Analysis) -> None:
    """A link to an example opens it, so its picture should be there."""
    sections = [section(words="w")]
    made = page(analysis, {}, sections)
    shown = set(re.findall(r'(?:href="#|data-example=")(train|test)-(\d+)"', made))
    of_pairs = {("train", str(i)) for i in analysis.pairs.train_index}
    of_pairs |= {("test", str(j)) for j in analysis.pairs.test_index}
    memorized = analysis.rule.is_memorized(analysis.scores.memorization)
    of_pairs |= {("train", str(i)) for i in np.flatnonzero(memorized)}
    train, test = linked(analysis, sections)
    known = {("train", str(i)) for i in train} | {("test", str(j)) for j in test}
    assert shown <= known | of_pairs
    assert ("test", "1") in known & shown


def test_a_table_gets_rows_where_images_get_pictures(tmp_path: Path) -> None:
    spec = Spec.parse(
        {
            "study": {"name": "wine", "trials": 20},
            "dataset": {"source": "sklearn:wine"},
            "training": {"recipe": "sklearn:tree.DecisionTreeClassifier"},
        }
    )
    study, dataset = prepare(spec)
    trials = execution.run(study, FilesStore(tmp_path), dataset, 20, workers=1)
    found = analyse(study, dataset, trials)
    html = page(found, figures(found), (), encoded(explore(found)))
    assert "img" not in Read(html).tags
    assert ">features</th>" in html
    assert "<code>alcohol 1" in html
    assert 'id="chart-memorization"' in html.partition("</header>")[0], "the first picture"
    assert Read(html).json("data")["kind"] == "table"


def test_a_dataset_with_an_empty_class_reports(analysis: Analysis) -> None:
    dataset: Dataset = replace(analysis.dataset, classes=(*analysis.dataset.classes, "nobody"))
    changed = replace(analysis, dataset=dataset)
    assert "nobody" not in page(changed, figures(changed))


def test_what_is_counted_as_memorized_is_framed(analysis: Analysis) -> None:
    values = np.zeros(300)
    values[:5] = 0.7 - 0.45
    tied = replace(analysis, scores=replace(analysis.scores, memorization=values))
    assert tied.n_memorized == 5
    shown = page(tied, {}).partition("<h3>Most memorized")[2].partition("</section>")[0]
    assert shown.count('class="still memorized"') == 5


def test_every_chart_has_its_drawing_its_source_and_its_data(html: str) -> None:
    sources = Read(html).json("charts")
    assert sources.keys() >= {"memorization", "influence", "held_in_held_out", "by_class"}
    for name, source in sources.items():
        chart = html.partition(f'id="chart-{name}"')[2].partition("</figure>")[0]
        assert "<svg" in chart
        assert source["spec"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        assert source["csv"].count("\n") > 1


def test_figures_of_one_name_stay_apart(analysis: Analysis) -> None:
    sections = [section(words="first"), section(words="second")]
    sources = Read(page(analysis, {}, sections)).json("charts")
    assert sources["made"]["csv"] == '"words"\n"first"\n'
    assert sources["made-2"]["csv"] == '"words"\n"second"\n'
