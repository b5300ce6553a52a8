"""Figures of experiments: every number found is in the chart and its table, with its deviation."""

from typing import Any

import pytest

from memtail_core.drawing.charts import Figure, inline_svg, png, spec
from memtail_core.experiments.comparison import figure as comparison_figure
from memtail_core.experiments.comparison.result import Both, Comparison
from memtail_core.experiments.last_layer import figure as last_layer_figure
from memtail_core.experiments.last_layer.result import LAST, LastLayer, Memorizer
from memtail_core.experiments.removal import figure as removal_figure
from memtail_core.experiments.removal.result import Removal
from memtail_core.experiments.stability import figure as stability_figure
from memtail_core.experiments.stability.result import AtThreshold, Growth, Stability
from memtail_core.experiments.subgroups import figure as subgroups_figure
from memtail_core.experiments.subgroups.result import Member, Subgroups

PNG = b"\x89PNG\r\n\x1a\n"


def shown(figure: Figure) -> list[dict[str, Any]]:
    return [row for rows in spec(figure)["datasets"].values() for row in rows]


def points(figure: Figure) -> set[tuple[str, float, float]]:
    """What a reader can point at."""
    return {
        (row["of"], row["x"], row["y"])
        for row in shown(figure)
        if "tooltip" in row and {"of", "x", "y"} <= set(row)
    }


def growth(name: str, values: list[float | None], law: list[tuple[float, float]]) -> Growth:
    return Growth(
        name=name, sizes=[20, 40], values=values, spreads=[0.1, None], expected_of_whole=None,
        needed=None, is_measured=False, law=law,
    )  # fmt: skip


def test_stability_shows_what_was_measured_and_the_law() -> None:
    at = AtThreshold(threshold=0.25, selected=9.0, jaccard=0.6, spread=0.05)
    none = AtThreshold(threshold=0.5, selected=0.0, jaccard=None, spread=None)
    found = Stability(
        study="s-1", trials=80, splits=3, left_out=0, wanted=0.9, theta_mem=0.25, theta_infl=0.15,
        memorized=[at, none], pairs=[none], empty=[], empty_influence=[], pearson=None,
        spearman=None, overall=None, top=None,
        growth=[
            growth("memorized", [0.4, 0.6], [(20.0, 0.4), (160.0, 0.9)]),
            growth("pairs", [None, 0.1], []),
            growth("correlation", [None, None], []),
            growth("difference", [0.3, 0.2], []),
        ],
    )  # fmt: skip
    made = {name: drawn.figure for name, drawn in stability_figure.figures(found).items()}
    assert points(made["stability"]) == {("memorized examples", 0.25, 0.6)}
    (bar,) = [row for row in shown(made["stability"]) if "low" in row and "tooltip" in row][:1]
    assert (bar["low"], bar["high"]) == (pytest.approx(0.55), pytest.approx(0.65))
    assert points(made["stability-growth"]) == {
        ("memorized examples", 20, 0.4),
        ("memorized examples", 40, 0.6),
        ("high-influence pairs", 40, 0.1),
    }
    rows = shown(made["stability-growth"])
    assert {"x": 160.0, "y": 0.9, "of": "memorized examples"} in rows
    assert any(row.get("tooltip") == "wanted: 0.9" for row in rows)
    assert made["stability-growth"].data.to_pylist()[0] == {
        "of": "memorized examples", "models": 20.0, "agreement": 0.4, "spread": 0.1
    }  # fmt: skip
    assert all(png(each).startswith(PNG) for each in made.values())


def both(threshold: float, *values: float | None) -> Both:
    within_one, within_other, between = values
    return Both(
        threshold=threshold, one=5, other=6, both=3, jaccard=0.4, within_one=within_one,
        within_other=within_other, between=between,
    )  # fmt: skip


def compared(names: tuple[str, str], pairs: list[Both]) -> Comparison:
    return Comparison(
        study="one-1", trials=80, other="other-2", other_trials=60, names=names, changes=[],
        shares_subsets=False, half=(40, 30), theta_mem=0.25, theta_infl=0.15,
        memorized=[both(0.25, 0.8, 0.7, 0.5), both(0.5, 0.9, None, 0.4)], pairs=pairs,
        pearson=None, spearman=None, overall=None, top=None, reliability=(None, None),
        corrected=None, beyond_noise=None, significant=0, disagreements=[],
    )  # fmt: skip


def test_a_comparison_shows_each_with_itself_and_with_the_other() -> None:
    made = comparison_figure.figures(compared(("one", "other"), [both(0.15, None, None, None)]))
    assert list(made) == ["comparison-with-other-2"], "nothing is known of pairs"
    assert points(made["comparison-with-other-2"].figure) == {
        ("within one", 0.25, 0.8),
        ("within other", 0.25, 0.7),
        ("between the two", 0.25, 0.5),
        ("within one", 0.5, 0.9),
        ("between the two", 0.5, 0.4),
    }


def test_studies_of_long_and_like_names_are_told_apart() -> None:
    names = ("study-" * 12 + "a", "study-" * 12 + "b")
    made = comparison_figure.figures(compared(names, [both(0.15, 0.3, 0.2, 0.1)]))
    assert list(made) == ["comparison-with-other-2", "comparison-with-other-2-pairs"]
    assert len({of for of, *_ in points(made["comparison-with-other-2-pairs"].figure)}) == 3


def cut(threshold: float | None, left: float, accuracy: float) -> dict[str, Any]:
    arm = {"mean": accuracy, "sd": 0.01, "each": [accuracy], "held_in": 1.0}
    difference = {"mean": 0.01, "sd": 0.01, "low": 0.0, "high": 0.02}
    names = ("drop", "random_drop", "difference", "drop_in_pairs", "drop_elsewhere")
    return {
        "threshold": threshold,
        "removed": 10,
        "left": left,
        "memorized": arm,
        "random": arm | {"mean": 0.92, "sd": None},
        "p_value": 0.01,
        **dict.fromkeys(names, difference),
    }


@pytest.mark.parametrize("cuts", [[(0.1, 0.7, 0.8), (0.3, 0.8, 0.9), (None, 0.9, 0.85)], []])
def test_removal_shows_every_cut_with_its_deviation(cuts: list[Any]) -> None:
    found = Removal.model_validate(
        {
            "study": "s-1", "trials": 80, "trained": "x-1", "repeats": 2, "examples": 100,
            "deduplicated": None, "test_in_pairs": 0, "tested": 50, "dropped": [],
            "whole": {"mean": 0.93, "sd": 0.01, "each": [0.93], "held_in": 1.0},
            "cuts": [cut(*each) for each in cuts],
        }
    )  # fmt: skip
    figure = removal_figure.figures(found)[found.name].figure
    wanted = {("memorized examples removed", 100 * x, 100 * y) for _, x, y in cuts}
    wanted |= {("random examples removed", 100 * x, 92.0) for _, x, _ in cuts}
    assert points(figure) == wanted
    assert figure.data.num_rows == 1 + 2 * len(cuts)
    bars = [row for row in shown(figure) if "low" in row and "of" in row]
    assert len(bars) >= len(cuts)
    assert all(row["high"] - row["low"] == pytest.approx(2.0) for row in bars)
    assert {row["of"] for row in bars} <= {"memorized examples removed"}, "of random: not known"
    beside = {row["text"] for row in shown(figure) if "text" in row}
    assert beside == ({"0.1", "0.3"} if cuts else set())
    assert any(row.get("tooltip") == "nothing removed: 93.00% correct" for row in shown(figure))
    assert png(figure).startswith(PNG)


def memorizer(name: str, memorized: list[int]) -> Memorizer:
    return Memorizer(
        name=name, trained="x-1", features=3, held_in=1, held_out=1, test=1, memorized=memorized,
        pairs=0, by_chance=0, pearson=None, spearman=None,
    )  # fmt: skip


def test_the_last_layer_beside_whole_networks_and_every_other_layer() -> None:
    found = LastLayer(
        study="s-1", trials=80, examples=100, l2=0.1, whole_train=1, whole_test=1,
        thresholds=[0.25, 0.5], network=memorizer("network", [40, 20]),
        layers=[memorizer("input", [60, 30]), memorizer(LAST, [1, 0])],
    )  # fmt: skip
    made = {name: drawn.figure for name, drawn in last_layer_figure.figures(found).items()}
    assert points(made["last-layer"]) == {
        ("whole networks", 0.25, 40),
        ("whole networks", 0.5, 20),
        ("the last layer alone", 0.25, 1),
    }
    said = {row["tooltip"] for row in shown(made["last-layer-profile"]) if "tooltip" in row}
    assert said == {"input: 60 memorized", f"{LAST}: 1 memorized", "whole networks: 40 memorized"}
    alone = found.model_copy(update={"layers": found.layers[1:]})
    assert list(last_layer_figure.figures(alone)) == ["last-layer"]
    assert all(png(each).startswith(PNG) for each in made.values())


def member(index: int, category: str, memorization: float | None, probability: float) -> Member:
    return Member(
        index=index, category=category, memorization=memorization, ci_low=None, ci_high=None,
        accuracy_in=None, accuracy_out=None, label_probability=probability,
        wrong_probability=None, supports=0, strongest=0, duplicate_of=None, duplicate_in=None,
        duplicate_has_other_label=False, cluster=None,
    )  # fmt: skip


def subgroups(members: list[Member]) -> Subgroups:
    names = ("typical", "atypical-useful", "likely-mislabeled", "duplicate")
    return Subgroups.model_construct(
        members=members,
        counts={name: sum(m.category == name for m in members) for name in names},
    )


def test_each_odd_example_is_a_dot_and_equal_ones_are_counted() -> None:
    found = subgroups(
        [
            member(3, "atypical-useful", 0.5, 0.1),
            member(4, "atypical-useful", 0.5001, 0.1),
            member(5, "likely-mislabeled", 1.0, 0.0),
            member(6, "duplicate", None, 0.5),
        ]
    )
    figure = subgroups_figure.figures(found)["subgroups"].figure
    assert {row["tooltip"] for row in shown(figure)} == {
        "atypical-useful: 2 at memorization 0.50, probability 0.1",
        "likely-mislabeled: 1 at memorization 1.00, probability at most 1e-06",
    }
    assert figure.data["index"].to_pylist() == [3, 4, 5]
    assert "likely-mislabeled" in inline_svg(figure)


def test_no_odd_example_no_figure() -> None:
    assert subgroups_figure.figures(subgroups([])) == {}
    assert subgroups_figure.figures(subgroups([member(6, "duplicate", None, 0.5)])) == {}


def test_very_many_odd_examples_are_not_as_many_dots() -> None:
    found = subgroups(
        [member(i, "atypical-useful", (i % 997) / 997, 0.5 + (i % 7) / 100) for i in range(20_000)]
    )
    figure = subgroups_figure.figures(found)["subgroups"].figure
    assert figure.data.num_rows == 20_000
    assert len(shown(figure)) < 1000
    assert len(inline_svg(figure)) < 300_000
