"""The page in a real Chromium: looked at, clicked through, typed through, listened to, without net.

Every visit ends with :func:`nothing_to_complain`: a page that works says nothing in the console
and asks nobody for anything.
"""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

from memtail_core.analysis import Analysis, analyse
from memtail_core.report.exploration import encoded, explore
from memtail_core.report.figures import figures
from memtail_core.report.page import page
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.browser import Visit, Visited
from tests.conftest import Trained
from tests.report.simulated_exploration import simulated
from tests.report.test_sections import section

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NASTY = "</script><script>alert(1)</script>\"'"
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}

pytestmark = pytest.mark.usefixtures("browser")


def nothing_to_complain(seen: Visited) -> None:
    assert seen.complaints == []
    assert len(set(seen.requests)) == 1, "the file itself, and nothing else"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def published(analysis: Analysis, folder: Path, name: str) -> str:
    made = page(
        analysis, figures(analysis), [section(words="A section.")], encoded(explore(analysis))
    )
    path = folder / f"{name}.html"
    path.write_text(made, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def digits(trained: Trained, folder: Path) -> str:
    return published(trained.analysis, folder, "digits")


@pytest.fixture(scope="module")
def table(folder: Path) -> str:
    spec = Spec.parse(
        {
            "study": {"name": "cancer", "trials": 40},
            "dataset": {"source": "sklearn:breast_cancer"},
            "training": {"recipe": "sklearn:tree.DecisionTreeClassifier"},
        }
    )
    study, dataset = prepare(spec)
    trials = execution.run(study, FilesStore(folder / "runs"), dataset, 40, workers=1)
    return published(analyse(study, dataset, trials), folder, "table")


@pytest.fixture(scope="module")
def hostile(trained: Trained, folder: Path) -> str:
    analysis = trained.analysis
    dataset = replace(
        analysis.dataset,
        classes=tuple(f"{NASTY} {c}" for c in analysis.dataset.classes),
        train_names=tuple(f"{NASTY}{i}" for i in range(300)),
        test_names=(NASTY,) * 100,
    )
    return published(replace(analysis, dataset=dataset), folder, "hostile")


@pytest.fixture(scope="module")
def large(trained: Trained, folder: Path) -> Path:
    """10,000 training and 2,000 test images, made up."""
    made = simulated(10_000, 2_000)
    trials = replace(trained.trials, n=10_000, n_test=2_000)
    analysis = replace(
        trained.analysis,
        dataset=made.dataset,
        trials=trials,
        scores=made.scores,
        pairs=made.pairs,
    )
    path = folder / "large.html"
    path.write_text(page(analysis, figures(analysis), (), encoded(made)), encoding="utf-8")
    return path


def cells(of: "Page | Locator") -> "Locator":
    return of.locator("[role=gridcell]")


def is_drawn(canvas: "Locator") -> bool:
    """Whether a picture has more than one colour."""
    return bool(
        canvas.evaluate(
            """async (canvas) => {
                for (let tries = 0; tries < 3000; tries++) {
                    const { data } = canvas.getContext("2d")
                        .getImageData(0, 0, canvas.width, canvas.height);
                    if (new Set(new Uint32Array(data.buffer)).size > 1) return true;
                    await new Promise((resolve) => setTimeout(resolve, 20));
                }
                return false;
            }"""
        )
    )


def test_what_is_chosen_is_announced(digits: str, visit: Visit, trained: Trained) -> None:
    seen = visit(digits, viewport=WIDE)
    tab = seen.page
    scores, labels = trained.analysis.scores, trained.dataset.y_train
    train = tab.locator("#panel-train")
    threes = int((labels == 3).sum())
    train.get_by_role("combobox", name="Class").select_option("3")
    assert train.get_by_role("status").inner_text() == f"{threes} of 300 training examples"
    train.get_by_role("combobox", name="Show").select_option("memorized")
    memorized = trained.analysis.rule.is_memorized(scores.memorization)
    both = int((memorized & (labels == 3)).sum())
    assert train.get_by_role("status").inner_text() == f"{both} of 300 training examples"
    train.get_by_role("combobox", name="Class").select_option("")
    train.get_by_role("combobox", name="Show").select_option("all")
    train.get_by_role("searchbox", name="Find").fill("#17")
    train.get_by_text("1 of 300 training examples").wait_for()
    assert cells(train).count() == 1
    assert "Training example 17," in (cells(train).first.get_attribute("aria-label") or "")
    train.get_by_role("searchbox", name="Find").fill("no such thing")
    train.get_by_text("Nothing matches").wait_for()
    train.get_by_role("searchbox", name="Find").fill("")
    train.get_by_text("300 training examples").wait_for()
    train.get_by_role("combobox", name="Sort by").select_option("index")
    assert "Training example 0," in (cells(train).first.get_attribute("aria-label") or "")
    nothing_to_complain(seen)


@pytest.mark.smoke
def test_an_example_leads_to_others(digits: str, visit: Visit, trained: Trained) -> None:
    seen = visit(digits, viewport=WIDE)
    tab = seen.page
    scores, labels = trained.analysis.scores, trained.dataset.y_train
    first = int((-scores.memorization).argsort(kind="stable")[0])
    train = tab.locator("#panel-train")
    assert is_drawn(cells(train).first.locator("canvas"))
    label = cells(train).first.get_attribute("aria-label") or ""
    # a screen reader hears of an example what others see
    assert label.startswith(f"Training example {first}, class {labels[first]}, memorization ")
    assert " interval " in label
    cells(train).first.click()
    dialog = tab.get_by_role("dialog")
    dialog.wait_for()
    assert tab.evaluate("location.hash") == f"#train-{first}"
    assert f"Training example {first}" in dialog.get_by_role("heading", level=2).inner_text()
    assert "Of the models trained on it, " in dialog.inner_text()
    assert is_drawn(dialog.locator(".large canvas"))
    neighbour = dialog.locator("section", has_text="Nearest training").get_by_role("link").first
    asked = neighbour.get_attribute("href")
    neighbour.click()
    assert tab.evaluate("location.hash") == asked != f"#train-{first}"
    tab.go_back()
    dialog.get_by_role("heading", level=2).get_by_text(f"Training example {first}").wait_for()
    tab.keyboard.press("Escape")
    expect(tab.locator(":focus")).to_have_attribute("aria-label", label)

    # the reverse: a test example that something supports, and what that is
    tab.get_by_role("tab", name="Test examples").click()
    test = tab.locator("#panel-test")
    test.get_by_role("combobox", name="Show").select_option("rests")
    cells(test).first.click()
    support = dialog.locator("section", has_text="Training examples it rests on")
    support.get_by_role("link").first.wait_for()
    assert "±" in support.get_by_role("link").first.inner_text()
    support.get_by_role("link").first.click()
    assert tab.evaluate("location.hash").startswith("#train-")
    dialog.get_by_role("button", name="Close").click()

    nothing_to_complain(seen)


def test_pairs_are_side_by_side(digits: str, visit: Visit, trained: Trained) -> None:
    seen = visit(digits, viewport=WIDE)
    tab = seen.page
    pairs = tab.locator("#panel-pairs")
    strongest = trained.analysis.pairs
    assert f"{strongest.influence.max():.2f} ±" in cells(pairs).first.inner_text()
    assert cells(pairs).first.locator("canvas").count() == 2
    pairs.get_by_role("combobox", name="Sort by").select_option("q")
    best = int(strongest.q_value.astype(np.float32).argmin())  # as they are encoded
    assert f"Training example {strongest.train_index[best]} " in (
        cells(pairs).first.get_attribute("aria-label") or ""
    )
    cells(pairs).first.click()
    assert tab.evaluate("location.hash") == f"#train-{strongest.train_index[best]}"
    nothing_to_complain(seen)


def test_a_keyboard_goes_everywhere(digits: str, visit: Visit) -> None:
    seen = visit(digits, viewport=WIDE)
    tab = seen.page
    keys = tab.keyboard.press
    keys("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the answer"
    tab.get_by_role("tab", name="Training examples").focus()
    keys("ArrowRight")
    assert tab.locator("#panel-test").is_visible()
    keys("ArrowLeft")
    assert tab.locator("#panel-train").is_visible()
    for _ in range(6):
        keys("Tab")
    grid = tab.locator("#panel-train [role=grid]")
    columns = int(grid.get_attribute("aria-colcount") or 0)
    rows = int(grid.get_attribute("aria-rowcount") or 0)
    assert columns > 3
    assert rows == -(-300 // columns)

    def at() -> tuple[int, int]:
        found = tab.evaluate(
            """[document.activeElement.parentElement.ariaRowIndex,
                document.activeElement.ariaColIndex].map(Number)"""
        )
        return found[0], found[1]

    assert at() == (1, 1)
    for key, expected in (
        ("ArrowRight", (1, 2)),
        ("ArrowDown", (2, 2)),
        ("Home", (2, 1)),
        ("ArrowLeft", (1, columns)),
        ("Control+End", (rows, (300 - 1) % columns + 1)),
        ("Control+Home", (1, 1)),
    ):
        keys(key)
        assert at() == expected, key
    assert grid.locator("[tabindex='0']").count() == 1

    # into the dialog, through it, and back to where one was
    keys("ArrowRight")
    keys("Enter")
    heading = tab.get_by_role("dialog").get_by_role("heading", level=2)
    second = heading.inner_text()
    keys("ArrowRight")
    assert heading.inner_text() != second
    keys("Escape")  # going on in the dialog went on in the gallery
    expect(tab.locator(":focus")).to_have_attribute("aria-colindex", "3")
    assert at() == (1, 3)
    assert not tab.evaluate("location.hash")
    nothing_to_complain(seen)


def test_an_address_leads_to_an_example(digits: str, visit: Visit) -> None:
    seen = visit(f"{digits}#test-3")
    tab = seen.page
    tab.get_by_role("heading", name="Test example 3").wait_for()
    tab.keyboard.press("Escape")
    expect(tab.locator(":focus")).to_have_attribute("aria-label", re.compile("^Test example 3,"))
    assert tab.locator("#panel-test").is_visible()
    nothing_to_complain(seen)
    unknown = visit(f"{digits}#train-99999")
    assert not unknown.page.get_by_role("dialog").is_visible()
    nothing_to_complain(unknown)


def test_ten_thousand_images_stay_smooth(large: Path, visit: Visit) -> None:
    assert large.stat().st_size < 15_000_000
    seen = visit(large.as_uri(), viewport=WIDE)
    tab = seen.page
    grid = tab.locator("#panel-train [role=grid]")
    grid.scroll_into_view_if_needed()
    assert tab.evaluate("document.querySelectorAll('[role=gridcell]').length") < 300
    tab.locator("#panel-train").get_by_role("combobox", name="Sort by").select_option("index")
    columns = int(grid.get_attribute("aria-colcount") or 0)
    assert grid.get_attribute("aria-rowcount") == str(-(-10_000 // columns))
    for share in (0.3, 0.7, 1):
        grid.evaluate("(grid, share) => { grid.scrollTop = share * grid.scrollHeight }", share)
        tab.wait_for_timeout(50)
    last = grid.locator("[aria-label^='Training example 9999,']")
    last.wait_for()
    assert is_drawn(last.locator("canvas"))
    assert tab.evaluate("document.querySelectorAll('[role=gridcell]').length") < 300
    # by name, and what subgroups told apart
    tab.locator("#panel-train").get_by_role("searchbox", name="Find").fill("train/00421")
    grid.locator("[aria-label^='Training example 421,']").wait_for()
    tab.locator("#panel-train").get_by_role("searchbox", name="Find").fill("")
    tab.locator("#panel-train").get_by_role("combobox", name="Show").select_option(
        "likely-mislabeled"
    )
    grid.locator(".mark.likely-mislabeled").first.wait_for()
    tab.locator("#panel-pairs").get_by_role("combobox", name="Show").select_option("duplicate")
    assert "near-duplicate" in cells(tab.locator("#panel-pairs")).first.inner_text()
    painted = tab.evaluate(
        "performance.getEntriesByName('first-contentful-paint').map((e) => e.startTime)"
    )
    assert painted[0] < 10_000, "a fifth of that on a machine that does nothing else"
    nothing_to_complain(seen)


def test_a_table_has_rows_and_the_same_functions(table: str, visit: Visit) -> None:
    seen = visit(table, viewport=WIDE)
    tab = seen.page
    assert tab.locator("canvas, img").count() == 0
    train = tab.locator("#panel-train")
    assert "mean radius" in cells(train).first.inner_text()
    assert train.get_by_role("grid").get_attribute("aria-colcount") == "1"
    cells(train).first.click()
    assert "mean radius" in tab.get_by_role("dialog").inner_text()
    assert tab.get_by_role("dialog").get_by_role("link").count() >= 3
    nothing_to_complain(seen)
    phone = visit(table, viewport=PHONE)
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
    assert phone.violations() == []


@pytest.fixture(scope="module")
def texts(trained: Trained, folder: Path) -> str:
    """300 and 100 texts: each pair shares one word that no other text has, and words all have."""
    made = simulated(300, 100, "text")
    train = [f"The film is <b>word{i}</b> and שלום {i}" for i in range(300)]
    test = ["The film is none"] * 100
    of = zip(made.pairs.train_index.tolist(), made.pairs.test_index.tolist(), strict=True)
    for i, j in reversed([*of]):
        test[j] = f"The film is WORD{i} 映画 indeed"
    shown = replace(made, train_text=train, test_text=test)
    trials = replace(trained.trials, n=300, n_test=100)
    analysis = replace(
        trained.analysis, dataset=made.dataset, trials=trials, scores=made.scores, pairs=made.pairs
    )
    path = folder / "texts.html"
    path.write_text(page(analysis, figures(analysis), (), encoded(shown)), encoding="utf-8")
    return path.as_uri()


def test_texts_are_found_by_words_and_pairs_show_what_they_share(texts: str, visit: Visit) -> None:
    seen = visit(texts, viewport=WIDE)
    tab = seen.page
    train = tab.locator("#panel-train")
    train.get_by_role("searchbox", name="Find").fill("שלום word123")
    train.get_by_text("1 of 300 training examples").wait_for()
    words = cells(train).first.locator(".words")
    assert words.inner_text() == "The film is <b>word123</b> and שלום 123", "escaped"
    assert words.get_attribute("dir") == "auto"
    pair = cells(tab.locator("#panel-pairs")).first
    marked = pair.locator("mark")
    assert marked.count() == 2, "a word in each; 'film' is in all texts"
    one, other = marked.all_inner_texts()
    assert one.lower() == other.lower() and one.startswith("word")
    pair.click()
    assert tab.get_by_role("dialog").locator("mark").count() >= 1
    nothing_to_complain(seen)
    phone = visit(texts, viewport=PHONE)
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
    assert phone.violations() == []


def test_names_do_nothing(hostile: str, visit: Visit) -> None:
    seen = visit(f"{hostile}#train-5")
    tab = seen.page
    tab.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
    assert NASTY in tab.get_by_role("dialog").inner_text()
    tab.keyboard.press("Escape")
    tab.locator("#panel-train").get_by_role("searchbox", name="Find").fill(f"{NASTY}17")
    tab.locator("#panel-train").get_by_text("11 of 300").wait_for()  # 17, and 170 to 179
    assert f"class {NASTY}" in (
        cells(tab.locator("#panel-train")).first.get_attribute("aria-label") or ""
    )
    nothing_to_complain(seen)
    phone = visit(hostile, viewport=PHONE)
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(digits: str, visit: Visit, scheme: str) -> None:
    seen = visit(digits, color_scheme=scheme, reduced_motion="reduce")
    tab = seen.page
    charts = tab.locator("[data-chart]")
    for k in range(charts.count()):
        charts.nth(k).scroll_into_view_if_needed()
        tab.locator(f"[data-chart] >> nth={k} >> .interactive svg").wait_for()
    assert seen.violations() == []
    tab.goto(f"{digits}#train-17")
    tab.get_by_role("heading", name="Training example 17").wait_for()
    assert seen.violations("dialog") == []
    levels = tab.evaluate(
        "Array.from(document.querySelectorAll('main :is(h1, h2, h3, h4)'), (h) => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(to <= of + 1 for of, to in pairwise(levels))
    nothing_to_complain(seen)


def test_charts_become_files(digits: str, visit: Visit, tmp_path: Path) -> None:
    seen = visit(digits, color_scheme="dark")
    tab = seen.page
    for kind, begins in (
        ("SVG", b"<svg"),
        ("PNG", b"\x89PNG"),
        ("CSV", b'"from","to","examples"\n'),
    ):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=f"Download memorization as {kind}").click()
        download.value.save_as(tmp_path / kind)
        content = (tmp_path / kind).read_bytes()
        assert content.startswith(begins)
        assert len(content) > 100
        assert download.value.suggested_filename == f"memorization.{kind.lower()}"
    assert b"#1c1c1c" in (tmp_path / "SVG").read_bytes(), "dark ink, also of a dark page"
    tab.locator("#panel-train").get_by_role("searchbox", name="Find").fill("#17")
    tab.locator("#panel-train").get_by_text("1 of 300").wait_for()
    with tab.expect_download() as download:
        tab.locator("#panel-train").get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "shown")
    lines = (tmp_path / "shown").read_text().splitlines()
    assert lines[0].startswith("index,name,class,memorization")
    assert [line.split(",")[0] for line in lines[1:]] == ["17"]
    nothing_to_complain(seen)


def test_it_reads_without_a_script_on_a_phone_and_on_paper(digits: str, visit: Visit) -> None:
    plain = visit(digits, java_script_enabled=False)
    tab = plain.page
    assert tab.locator(".headline").is_visible()
    assert tab.locator(".spectrum img").first.is_visible()
    assert tab.locator("#chart-influence svg").is_visible()
    assert tab.get_by_role("heading", name="Most memorized").is_visible()
    assert tab.locator(".supporters img").first.is_visible()
    assert tab.locator(".choices:visible").count() == 0, "nothing that would do nothing"
    nothing_to_complain(plain)
    phone = visit(digits, viewport=PHONE)
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
    phone.page.locator("#panel-train [role=gridcell]").first.click()
    box = phone.page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 360)
    nothing_to_complain(phone)
    paper = visit(f"{digits}#train-3")
    paper.page.emulate_media(media="print")
    assert not paper.page.locator("#example").is_visible()
    assert not paper.page.locator(".choices").first.is_visible()
    assert 0 < paper.page.locator("#panel-train .items:visible").count() <= 4
    assert paper.page.locator("#chart-memorization .drawing").is_visible()
    nothing_to_complain(paper)
