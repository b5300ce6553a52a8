"""The tutorials do what they say: their commands and code run, in order, in an empty folder."""

import csv
import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, run

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
RUN = ["images", "tables", "python"]


def page(name: str) -> str:
    return (ROOT / "docs" / "tutorials" / f"{name}.md").read_text(encoding="utf-8")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEMTAIL_STORE", raising=False)
    return tmp_path


@pytest.mark.slow
def test_images(here: Path) -> None:
    printed = run(page("images"), here)
    assert "300 read" in printed
    with (here / "groups.csv").open() as file:
        rows = list(csv.DictReader(file))
    suspects = [row["name"] for row in rows if row["category"] == "likely-mislabeled"]
    wrong = [path.name for path in (here / "photos").rglob("wrong-*.png")]
    assert len(wrong) == 12
    trained = [row["name"] for row in csv.DictReader((here / "scores.csv").open())]
    n_planted = sum("wrong-" in name for name in trained)
    assert n_planted >= 8
    assert sum("wrong-" in name for name in suspects) >= n_planted - 3
    assert sum("wrong-" not in name for name in suspects) <= 3
    assert len(trained) == 240


@pytest.mark.slow
def test_tables(here: Path) -> None:
    printed = run(page("tables"), here)
    assert "customer: 320 different words" in printed or "left out: customer" in printed
    assert "age: 11 missing values replaced" in printed
    with (here / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    least = sorted(rows, key=lambda row: float(row["accuracy_out"]))[:10]
    assert sum(int(row["name"]) % 25 == 0 for row in least) >= 7  # the changed labels


@pytest.mark.slow
def test_python(here: Path) -> None:
    printed = run(page("python"), here)
    assert "pixels-" in printed
    assert list((here / "runs" / "studies").glob("*/report/index.html"))


@pytest.mark.slow
def test_report(here: Path) -> None:
    """The study of the demonstration with 20 models, where the reader trains 300."""
    smaller = page("report").replace("$ memtail demo", "$ memtail run digits --trials 20")
    printed = run(re.sub(r"<!-- not run: .* -->\n", "", smaller), here)
    assert "$ memtail run digits" in printed
    (report,) = (here / "runs" / "studies").glob("digits-*/report")
    shown = (report / "index.html").read_text(encoding="utf-8")
    named = re.findall(r"\*\*(.+?)\*\*", page("report"))
    assert {"Nearest training examples", "Do the models fit their training data?"} <= set(named)
    assert not [each for each in named if each.lower() not in shown.lower()]
    for file in ("scores.parquet", "pairs.parquet", "summary.json"):
        assert (report / file).exists(), file


def test_every_tutorial_runs_or_says_why_not() -> None:
    for tutorial in TUTORIALS:
        found = list(blocks(tutorial.read_text(encoding="utf-8")))
        runs = [b for b in found if b.is_run and b.language in ("console", "python")]
        assert bool(runs) == (tutorial.stem in RUN), tutorial.name


def test_blocks_are_read_and_run(here: Path) -> None:
    markdown = (
        '```python title="two.py"\nprint(1 + 1)\n```\n\n```console\n$ python two.py\n2\n```\n'
        "```python\nx = 3\n```\n<!-- not run: a reason -->\n```python\n1 / 0\n```\n"
        "```python\nassert x == 3\n```\n"
    )
    assert run(markdown, here) == "$ python two.py\n2\n"
    assert Block("console", "$ a \\\n  b\nc\n").commands == ["a    b"]
    with pytest.raises(AssertionError, match="only memtail and python"):
        run("```console\n$ python two.py 3 | cat\n$ cat two.py\n```", here)
