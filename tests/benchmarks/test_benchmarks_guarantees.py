"""The simulations behind docs/guarantees.md, short: error statements are wrong no more often."""

import pytest

from benchmarks.guarantees import FDR
from tests.benchmarks.test_benchmarks import ran

SHORT = ("--counts", "40", "--replications", "12")


def is_at_most_nominal(row: dict[str, float]) -> bool:
    return row["simulated"] - 3 * row["standard_error"] <= row["nominal"]


def test_scores_have_intervals_that_hold_also_of_examples_called_memorized() -> None:
    found = ran("guarantees", "scores", *SHORT)
    assert [row["what"] for row in found[:3]] == [
        "scores, many memorized, all, 40 trials",
        "scores, many memorized, called memorized, 40 trials",
        "scores, many memorized, surely, 40 trials",
    ]
    assert len(found) == 6
    assert all(row["replications"] == 12 for row in found)
    assert found[0]["simulated"] == pytest.approx(0.03, abs=0.02)


def test_intervals_of_means_hold_but_where_the_docs_say() -> None:
    found = ran("guarantees", "means", "--counts", "40", "--replications", "3")
    assert len(found) == 8
    assert all(row["simulated"] < 0.075 for row in found)
    assert found[0]["simulated"] == pytest.approx(0.04, abs=0.015)


def test_intervals_of_wrong_labels_hold() -> None:
    found = ran("guarantees", "labels", "--counts", "40", "--replications", "6")
    of_typical = [row for row in found if "typical" in row["what"]]
    assert len(of_typical) == 3
    assert all(row["simulated"] < 0.05 for row in of_typical)
    some = [row for row in found if "8% wrong labels, doubtful" in row["what"]]
    assert len(some) == 1
    assert is_at_most_nominal(some[0])


@pytest.mark.slow
def test_nothing_is_significant_in_means_without_influence() -> None:
    found = ran("guarantees", "mean-nulls", *SHORT)
    assert all(is_at_most_nominal(row) for row in found)
    assert found[0]["ignoring_the_choice"] > found[0]["simulated"]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["nulls", "discoveries", "intervals"])
def test_no_more_is_wrong_than_is_said(part: str) -> None:
    found = ran("guarantees", part, *SHORT)
    assert found
    assert all(is_at_most_nominal(row) for row in found)
    if part == "nulls":
        assert all(row["ignoring_the_choice"] >= row["simulated"] for row in found)
    if part == "discoveries":
        assert all(row["nominal"] == FDR for row in found)
        assert "0.5: " in found[0]["power"]


@pytest.mark.slow
def test_as_many_pairs_are_found_by_chance_as_are_expected() -> None:
    found = ran("guarantees", "chance", *SHORT)
    assert all(0.5 < row["simulated"] < 1.5 for row in found)
