"""The benchmark of measures runs, at small sizes, and both sides list the same pairs."""

import pytest

from benchmarks import measures
from tests.benchmarks.test_benchmarks import ran

SMALL = ("--train", "300", "--test", "100", "--trials", "120", "--rounds", "1")


@pytest.mark.parametrize("part", ["influence", "memorization"])
def test_both_sides_find_the_same(part: str) -> None:
    (found,) = ran("measures", part, *SMALL)
    assert found["ratio"] == pytest.approx(found["theirs"] / found["ours"])
    if part == "influence":
        assert found["pairs"] > 50


def test_other_pairs_are_an_error() -> None:
    data = measures.Data(300, 100, 120)
    dense = measures.theirs(data, 0.15)
    with pytest.raises(Exception, match="only one side lists"):
        measures._check(measures.ours(data, 0.3), dense, 0.15)
