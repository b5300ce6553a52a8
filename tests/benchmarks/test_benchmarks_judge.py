"""The benchmark of ``judge`` runs, at a small size, and the plain way gives the same mean."""

import pytest

from tests.benchmarks.test_benchmarks import ran


def test_judging_is_measured_beside_the_plain_way() -> None:
    (found,) = ran("judge", "--train", "300", "--test", "80", "--trials", "40")
    assert found["ratio"] == pytest.approx(found["theirs"] / found["ours"])
    assert 0 < found["our_reading_seconds"] < found["ours"]
    assert found["gigaflop"] == pytest.approx(2 * 300 * 80 * 40 / 1e9)
    assert 0 < found["product_limit_seconds"] < found["ours"]
    assert found["our_peak_bytes"] > 10**7
