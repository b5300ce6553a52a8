"""One chart, many forms: the same bytes again, safe within a page, whatever its words are."""

import io
import json
import re
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from memtail_core.drawing import axes
from memtail_core.drawing.charts import (
    Figure,
    figure,
    inline_svg,
    javascript,
    png,
    spec,
    svg,
    values,
)

NASTY = '<script>alert("1")</script> & datum["n"] {{7*7}} 猫 قط'


def made(*names: str) -> Figure:
    """Dots that are cut off at the plot's edge, and a legend that is a gradient: both have ids."""
    rows = [{"name": name, "n": n} for n, name in enumerate(names)]
    chart = alt.Chart(values(rows)).mark_point(clip=True)
    dots = chart.encode(x="name:N", y="n:Q", color="n:Q", tooltip="name:N", description="name:N")
    return figure([dots], pa.table({"name": list(names)}), f"Dots of {names[0]}")


def test_the_same_figure_gives_the_same_files() -> None:
    one, _, again = made("a", "b"), svg(made("c")), made("a", "b")
    assert svg(one) == svg(again)
    assert png(one) == png(again)
    assert inline_svg(one) == inline_svg(again)


def test_figures_of_one_page_share_no_ids() -> None:
    one, other = inline_svg(made("a", "b")), inline_svg(made("a", "c"))
    ids = [set(re.findall(r' id="([^"]*)"', text)) for text in (one, other)]
    assert all(len(each) == 2 for each in ids)
    assert not ids[0] & ids[1]
    for text, own in zip((one, other), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]*)\)", text)) == own, "each is found where it is used"


def test_a_picture_is_white_and_fine_enough_for_print() -> None:
    picture = Image.open(io.BytesIO(png(made("a"))))
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert picture.info["dpi"][0] == pytest.approx(216, abs=0.1)
    width = float(ElementTree.fromstring(svg(made("a"))).get("width", ""))
    assert picture.width == 3 * width, "216 dots for each 72 pixels"
    assert np.asarray(picture).min() < 60, "ink"


def test_ink_is_that_of_the_page_and_dark_in_a_file() -> None:
    text = inline_svg(made("a"))
    assert "currentColor" in text
    assert "#2b2b2b" not in text
    assert "#2b2b2b" in svg(made("a")).decode()
    assert "currentColor" not in svg(made("a")).decode()


def test_within_the_page_it_is_as_wide_as_there_is_room() -> None:
    root = ElementTree.fromstring(inline_svg(made("a")))
    assert root.get("width") is None
    assert root.get("height") is None
    _, _, width, _ = root.get("viewBox", "").split()
    assert root.get("style") == f"width:100%;max-width:{width}px;height:auto"
    assert root.get("aria-label") == "Dots of a"
    assert not root.findall(".//{*}script")


def test_names_are_words_whatever_they_hold() -> None:
    of = made(NASTY, "b")
    for text in (inline_svg(of), svg(of).decode()):
        assert "<script" not in text
        words = [each.text for each in ElementTree.fromstring(text).iter() if each.text]
        assert NASTY[:12] in "".join(words), "as it stands"
    assert png(of).startswith(b"\x89PNG\r\n\x1a\n")
    assert f"Dots of {NASTY}" == ElementTree.fromstring(inline_svg(of)).get("aria-label")
    chart = json.dumps({k: v for k, v in spec(of).items() if k not in ("datasets", "description")})
    assert "alert" not in chart, "names are data alone"


def test_the_pages_chart_is_as_wide_as_its_place_unless_it_is_of_pictures() -> None:
    of = made("a")
    assert spec(of)["width"] == "container"
    assert spec(Figure(of.chart, of.data, is_fluid=False))["width"] == 420
    assert json.loads(json.dumps(spec(of), allow_nan=False)) == spec(of)


def test_the_script_can_be_part_of_a_page() -> None:
    script = javascript()
    assert "memtailDraw" in script
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert len(script) < 1_200_000


def test_long_names_are_short_and_never_the_same() -> None:
    names = ["a" * 30, "a" * 31, "a\nb", "a b", "short"]
    found = axes.shortened(names, 10)
    assert found[0] == "a" * 9 + "…"
    assert found[2] == "a b"
    assert found[4] == "short"
    assert len(set(found)) == len(names)
    assert max(map(len, axes.shortened(["a" * 30] * 200))) <= 24


def test_ticks_of_a_log_axis_are_few_and_within() -> None:
    assert axes.ticks(1, 60) == [1, 2, 5, 10, 20, 50]
    assert axes.ticks(1, 31_000) == [1, 10, 100, 1000, 10_000]
    assert axes.ticks(30, 2000) == [50, 100, 200, 500, 1000, 2000]
