"""What the report's figures show: every number against a count made another way."""

import json
import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from memtail_core.analysis import Analysis, analyse
from memtail_core.drawing.charts import Figure, inline_svg, png, spec
from memtail_core.estimation.influence import PairsRule
from memtail_core.report.figures import figures
from memtail_core.running.trials import Trials
from tests.conftest import Trained

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def analysis(trained: Trained) -> Analysis:
    return trained.analysis


def shown(figure: Figure) -> list[dict[str, Any]]:
    """Every row of the chart's data."""
    return [row for rows in spec(figure)["datasets"].values() for row in rows]


def scored(analysis: Analysis, memorization: np.ndarray) -> Analysis:
    return replace(analysis, scores=replace(analysis.scores, memorization=memorization))


@pytest.mark.parametrize("lowest", [-1.0, -0.3, -0.25, -0.2, 0.0])
def test_the_histogram_draws_every_score(analysis: Analysis, lowest: float) -> None:
    of = figures(scored(analysis, np.linspace(lowest, 1.0, 300)))["memorization"]
    assert sum(of.data["examples"].to_pylist()) == 300
    assert sum(row.get("count", 0) for row in shown(of)) == 300


@pytest.mark.parametrize("theta", [0.25, 0.33, 1.0, -1.0])
def test_orange_are_exactly_the_memorized(analysis: Analysis, theta: float) -> None:
    values = np.random.default_rng(0).uniform(-0.2, 1, 300)
    values[:5] = 0.7 - 0.45  # 0.25, and in floating point a little less
    changed = replace(scored(analysis, values), rule=PairsRule(theta_mem=theta))
    of = figures(changed)["memorization"]
    orange = [row for row in shown(of) if row.get("kind", "").startswith("memorized")]
    assert sum(row["count"] for row in orange) == changed.n_memorized
    assert all(row["from"] >= theta for row in orange)


def test_a_bar_says_what_it_is(analysis: Analysis) -> None:
    values = np.full(300, 0.01)
    values[:41], values[41] = 0.27, 0.62
    said = [row.get("said") for row in shown(figures(scored(analysis, values))["memorization"])]
    assert "memorization 0.25 to 0.30: 41 examples" in said
    assert "memorization 0.60 to 0.65: 1 example" in said


def test_influence_is_that_of_every_pair_looked_at(trained: Trained, analysis: Analysis) -> None:
    """Counted from the trials alone: P(right | trained on it) − P(right | held out)."""
    t, y, y_test = trained.trials, trained.dataset.y_train, trained.dataset.y_test
    trained_on = np.unpackbits(t.subset, axis=1, count=300).astype(bool)
    right = np.unpackbits(t.test_correct, axis=1, count=100).astype(float)
    found = []
    for i in np.flatnonzero(analysis.scores.memorization >= 0.25 - 1e-9):
        inside = trained_on[:, i]
        value = right[inside].mean(axis=0) - right[~inside].mean(axis=0)
        found += value[y_test == y[i]].tolist()
    edges = np.arange(-40, 41) / 40
    off_edge = np.array(found) + 1e-9  # a value on an edge counts above it
    np.testing.assert_array_equal(np.histogram(np.minimum(off_edge, 1.0), edges)[0], analysis.tally)
    of = figures(analysis)["influence"]
    strong = [row for row in shown(of) if row.get("kind", "").startswith("at least")]
    assert sum(row["count"] for row in strong) == len(analysis.pairs) > 0
    assert sum(of.data["pairs"].to_pylist()) == len(found)


def test_each_example_is_in_the_cell_of_its_accuracies(analysis: Analysis) -> None:
    of = figures(analysis)["held_in_held_out"]
    scores = analysis.scores
    assert sum(of.data["examples"].to_pylist()) == 300
    for row in of.data.to_pylist():
        top = {name: 2.0 if row[name] == 1 else row[name] - 1e-9 for name in row if "_to" in name}
        inside = (
            (scores.accuracy_out >= row["held_out_from"] - 1e-9)
            & (scores.accuracy_out < top["held_out_to"])
            & (scores.accuracy_in >= row["held_in_from"] - 1e-9)
            & (scores.accuracy_in < top["held_in_to"])
            & ((scores.memorization >= 0.25 - 1e-9) == (row["kind"] == "memorized"))
        )
        assert inside.sum() == row["examples"]


def test_what_shares_a_cell_is_beside_each_other(analysis: Analysis) -> None:
    """0.975 − 0.725 is a cell that the threshold of 0.25 runs through."""
    out, memorized = np.full(300, 0.73), np.arange(300) < 10
    scores = replace(
        analysis.scores,
        accuracy_out=out,
        accuracy_in=np.where(memorized, 0.99, 0.976),
        memorization=np.where(memorized, 0.26, 0.246),
    )
    of = figures(replace(analysis, scores=scores))["held_in_held_out"]
    left, right = sorted((r for r in shown(of) if "kind" in r), key=lambda row: row["x"])
    assert (left["kind"], left["examples"]) == ("memorized", 10)
    assert (right["kind"], right["examples"]) == ("others", 290)
    assert left["x2"] == right["x"] == pytest.approx(0.7375)


def test_classes_are_from_the_most_memorized_on(analysis: Analysis) -> None:
    table = figures(analysis)["by_class"].data.to_pylist()
    y, scores = analysis.dataset.y_train, analysis.scores
    for row in table:
        mine = y == analysis.dataset.classes.index(row["class"])
        assert row["scored"] == mine.sum()
        assert row["memorized"] == sum(scores.memorization[mine] >= 0.25 - 1e-9)
        assert row["surely"] == sum(scores.ci_low[mine] >= 0.25)
        assert row["possibly"] == sum(scores.ci_high[mine] >= 0.25 - 1e-9)
    shares = [row["memorized"] / row["scored"] for row in table]
    assert shares == sorted(shares, reverse=True)
    assert sum(row["memorized"] for row in table) == analysis.n_memorized


def test_of_many_classes_the_most_memorized_are_drawn(analysis: Analysis) -> None:
    names = ("x" * 40 + "a", "x" * 40 + "b", *(f"c{i}" for i in range(98)))
    dataset = replace(analysis.dataset, classes=names, y_train=np.arange(300) % 100)
    values = np.where(np.arange(300) % 100 < 2, 1.0, 0.0)
    of = figures(replace(scored(analysis, values), dataset=dataset))["by_class"]
    assert of.data.num_rows == 100
    drawn = [row["name"] for row in shown(of)]
    assert len(drawn) == len(set(drawn)) == 30
    assert max(map(len, drawn)) <= 24


def test_pictures_are_those_of_the_examples(analysis: Analysis) -> None:
    made = figures(analysis)
    odd, pairs = made["typical_to_odd"], made["pairs"]
    rows = odd.data.to_pylist()
    assert [r["index"] for r in rows if r["memorization"] >= 0.25 - 1e-9] == [
        int(re.findall(r"example (\d+)", r["said"])[0])
        for r in shown(odd)
        if r.get("framed")
    ]  # fmt: skip
    first = pairs.data.to_pylist()[0]
    said = [row["said"] for row in shown(pairs) if "said" in row]
    assert said[0].startswith(f"training example {first['train_index']}: memorization")
    assert said[1] == (
        f"test example {first['test_index']}: influence {first['influence']:.2f} ± "
        f"{first['standard_error']:.2f} of training example {first['train_index']}"
    )
    assert not odd.is_fluid
    assert not pairs.is_fluid


def test_every_chart_says_what_it_is(analysis: Analysis) -> None:
    for of in figures(analysis).values():
        assert len(spec(of)["description"]) > 40


def test_names_are_data_in_every_figure(analysis: Analysis) -> None:
    nasty = ("<b>0</b>", 'datum["a"]', "猫", "a.b[0]\\", "null", "'+alert(1)+'", "7", "", " ", "__")
    made = figures(replace(analysis, dataset=replace(analysis.dataset, classes=nasty)))
    for name in ("by_class", "typical_to_odd"):
        text = inline_svg(made[name])
        assert "<b>" not in text
        assert "&lt;b&gt;0&lt;/b&gt;" in text
        assert 'datum["a"]' in text.replace("&quot;", '"')
        assert png(made[name]).startswith(PNG)


def _one_model(trained: Trained) -> Analysis:
    t = trained.trials
    given = {each.name: getattr(t, each.name) for each in fields(Trials) if each.init}
    one = Trials(**{k: v[:1] if isinstance(v, np.ndarray) else v for k, v in given.items()})
    return analyse(trained.study, trained.dataset, one, 40)


def _one_class(trained: Trained) -> Analysis:
    data = trained.dataset
    y, y_test = np.zeros_like(data.y_train), np.zeros_like(data.y_test)
    dataset = replace(data, classes=("only",), y_train=y, y_test=y_test)
    return analyse(trained.study, dataset, trained.trials)


def _no_pairs(trained: Trained) -> Analysis:
    rule = PairsRule(theta_infl=1.0)
    return analyse(trained.study, trained.dataset, trained.trials, rule=rule)


def _none_memorized(trained: Trained) -> Analysis:
    rule = PairsRule(theta_mem=1.0)
    few = scored(trained.analysis, np.zeros(300))
    return replace(few, rule=rule, tally=np.zeros_like(few.tally))


@pytest.mark.parametrize("of", [_one_model, _one_class, _no_pairs, _none_memorized])
def test_there_is_always_a_figure(trained: Trained, of: Any) -> None:
    analysis = of(trained)
    made = figures(analysis)
    assert {"memorization", "influence", "held_in_held_out", "by_class"} <= set(made)
    for each in made.values():
        text = json.dumps(spec(each), allow_nan=False)
        assert "NaN" not in text
        drawn = inline_svg(each)
        assert "NaN" not in drawn
        assert "undefined" not in drawn
    known = int((~np.isnan(analysis.scores.memorization)).sum())
    counts = {
        "memorization": ("examples", known),
        "influence": ("pairs", int(analysis.tally.sum())),
        "held_in_held_out": ("examples", known),
        "by_class": ("scored", known),
    }
    for name, (column, expected) in counts.items():
        assert sum(made[name].data[column].to_pylist()) == expected, name
