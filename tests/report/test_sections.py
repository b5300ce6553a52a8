"""Sections of experiments in the page: what a name may hold, and what is missing."""

import altair as alt
import pyarrow as pa
import pytest

from memtail_core.drawing.charts import Figure, figure, values
from memtail_core.drawing.formatting import decimal, points
from memtail_core.drawing.section import CaptionedFigure, Example, Gallery, Section, TextTable
from memtail_core.experiments.removal import section as removal
from memtail_core.experiments.removal.result import Removal
from memtail_core.experiments.stability import section as stability
from memtail_core.experiments.stability.result import AtThreshold, Growth, Stability
from memtail_core.report.figures import figures
from memtail_core.report.page import page
from tests.conftest import Trained


def drawn(words: str) -> Figure:
    chart = alt.Chart(values([{"words": words}])).mark_text().encode(text="words:N")
    return figure([chart], pa.table({"words": [words]}), words)


def section(*, words: str) -> Section:
    return Section(
        name="made",
        title=words,
        findings=[words],
        notes=[words],
        table=pa.table({"a": [1]}),
        summary=TextTable(("what", "n"), [(words, "3")]),
        figures={"made": CaptionedFigure(drawn(words), words)},
        galleries=[Gallery(words, [Example(0, words), Example(1, words, is_test=True)])],
    )


def test_words_are_only_words(trained: Trained) -> None:
    made = page(
        trained.analysis, figures(trained.analysis), [section(words="<script>alert(1)</script>")]
    )
    assert "<script>alert" not in made
    assert made.count("&lt;script&gt;") >= 7
    assert 'id="made"' in made
    assert "test example 1" in made


def growth(name: str, values: list[float | None]) -> Growth:
    return Growth(
        name=name,
        sizes=[20, 40],
        values=values,
        spreads=[None, None],
        expected_of_whole=None,
        needed=None,
        is_measured=False,
        law=[],
    )


@pytest.fixture
def nothing(trained: Trained) -> Stability:
    """Thresholds that select nothing at all."""
    at = AtThreshold(threshold=0.25, selected=0.0, jaccard=None, spread=None)
    many = AtThreshold(threshold=0.15, selected=None, jaccard=None, spread=None)
    return Stability(
        study=trained.study.id,
        trials=80,
        splits=3,
        left_out=5,
        wanted=0.9,
        theta_mem=0.25,
        theta_infl=0.15,
        memorized=[at],
        pairs=[many],
        empty=[0.25],
        empty_influence=[],
        growth=[growth(name, [None, None]) for name in ("memorized", "pairs", "correlation")],
        pearson=None,
        spearman=None,
        overall=None,
        top=None,
    )


def test_what_is_missing_is_a_dash_and_never_a_number(trained: Trained, nothing: Stability) -> None:
    made = stability.section(nothing)
    assert made.summary.rows[0] == ("memorization", "0.25", "0", "–", "–", "–")
    assert made.summary.rows[1][2] == "too many"
    assert "cannot be told from these models" in made.findings[1]
    assert "No example reaches 0.25." in made.notes
    assert any("5 models of incomplete blocks" in note for note in made.notes)
    assert made.figures == {}, "no empty plot"
    assert ">nan<" not in page(trained.analysis, figures(trained.analysis), [made])


def test_numbers_as_people_read_them() -> None:
    assert points(0.01234) == "1.23"
    assert points(None) == "–"
    assert decimal(None) == "–"
    assert decimal(0.256, 1) == "0.3"


def cut(threshold: float | None, removed: int, mean: float) -> dict[str, object]:
    accuracy = {"mean": 0.9, "sd": 0.01, "each": [0.9, 0.9], "held_in": 1.0}
    difference = {"mean": mean, "sd": 0.01, "low": mean - 0.01, "high": mean + 0.01}
    names = ("drop", "random_drop", "difference", "drop_in_pairs", "drop_elsewhere")
    return {
        "threshold": threshold,
        "removed": removed,
        "left": 1 - removed / 100,
        "memorized": accuracy,
        "random": accuracy,
        "p_value": 0.01,
        **dict.fromkeys(names, difference),
    }


def test_removal_speaks_of_the_papers_threshold_whatever_was_found(trained: Trained) -> None:
    """Not of the cut that looks best: its interval would not hold."""
    whole = {"mean": 0.93, "sd": 0.01, "each": [0.93, 0.93], "held_in": 1.0}
    found = Removal.model_validate(
        {
            "study": trained.study.id,
            "trials": 80,
            "trained": "x-1",
            "repeats": 2,
            "examples": 100,
            "deduplicated": 7,
            "test_in_pairs": 0,
            "tested": 50,
            "whole": whole,
            "dropped": [0.9],
            "cuts": [cut(0.1, 30, 0.2), cut(0.3, 20, 0.02), cut(None, 10, -0.01)],
        }
    )
    made = removal.section(found)
    assert "20 training examples with memorization ≥ 0.3 (20.0% of" in made.findings[0]
    assert "2.00 [1.00, 3.00] percentage points" in made.findings[0]
    assert "in 2 of 3 cuts" in made.findings[1], "the third costs less, not more"
    assert "No test example" in made.findings[2]
    assert made.summary.rows[0][:3] == ("nothing", "0", "93.0%")
    assert any("7 training examples that nearly equal" in note for note in made.notes)
    assert any(note.endswith("of a class: 0.9.") for note in made.notes)
    assert made.table.num_rows == 3
