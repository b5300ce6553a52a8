"""The benchmark of the dashboard's readers runs, at a small size."""

import pytest

from tests.benchmarks.test_benchmarks import ran_afresh


def test_readers_are_answered_while_shards_land() -> None:
    small = "--readers 12 --first 1 --seconds 1 --least 3 --think 0.2 --shards 5 --trials 40"
    *each, every = ran_afresh("readers", *small.split())
    assert every["errors"] == 0, every["said"]
    assert every["requests"] == sum(one["requests"] for one in each) > 20
    assert every["requests_a_second"] == pytest.approx(every["requests"] / every["seconds"])
    assert every["shards_landed"] > 1
    assert every["events"] > 1
    assert all(one["p50_ms"] <= one["p99_ms"] <= one["most_ms"] for one in each)
