"""The readers' benchmark runs, at a small size, and no reader meets an error."""

import pytest

from tests.benchmarks.test_benchmarks import ran


def test_readers_are_answered_while_shards_land() -> None:
    *each, every = ran(
        "readers", "--readers", "12", "--first", "3", "--seconds", "3", "--think", "0.2",
        "--shards", "5",
    )  # fmt: skip
    assert every["errors"] == 0, every["said"]
    assert every["requests"] == sum(one["requests"] for one in each) > 20
    assert every["requests_a_second"] == pytest.approx(every["requests"] / 3)
    assert every["shards_landed"] > 3
    assert every["events"] > 1
    assert all(one["p50_ms"] <= one["p99_ms"] <= one["most_ms"] for one in each)
