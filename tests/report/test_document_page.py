"""A page of its own: everything escaped, nothing run, nothing loaded, and readable in Chromium."""

from pathlib import Path

import altair as alt
import pyarrow as pa
import pytest

from memtail_core.drawing.charts import figure, values
from memtail_core.drawing.document import Document, Part
from memtail_core.drawing.section import CaptionedFigure, TextTable
from memtail_core.report.page.document import document_page
from tests.browser import Visit

NASTY = "</style><script>alert(1)</script>\"'&"


def document(words: str = NASTY) -> Document:
    chart = alt.Chart(values([{"x": 1, "y": 2, "of": words}])).mark_point()
    drawn = figure([chart.encode(x="x:Q", y="y:Q", color="of:N")], pa.table({"x": [1]}), words)
    table = TextTable((words, "n"), [(words, "1"), (words, "2")])
    return Document(
        title=words,
        subtitle=words,
        answer=[words, words],
        facts=[(words, words)],
        parts=[
            Part(words, [words], [words], [(words, table)], {"one": CaptionedFigure(drawn, words)}),
            Part("Limits", points=[words]),
        ],
    )


def test_everything_is_escaped() -> None:
    page = document_page(document())
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert page.count("&lt;/style&gt;&lt;script&gt;") > 12
    assert "default-src 'none'" in page


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("width", [1280, 360])
def test_it_is_readable_and_asks_for_nothing(visit: Visit, tmp_path: Path, width: int) -> None:
    path = tmp_path / "audit.html"
    path.write_text(document_page(document("Words of an audit")), encoding="utf-8")
    seen = visit(path.as_uri(), viewport={"width": width, "height": 900})
    assert seen.complaints == []
    assert len(seen.requests) == 1
    assert seen.violations() == []
    assert seen.page.locator("main svg").count() == 1
    assert seen.page.locator("nav a").count() == 3
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
