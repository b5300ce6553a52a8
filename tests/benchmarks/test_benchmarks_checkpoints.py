"""The benchmark of checkpoints runs, at a small size."""

import pytest

from tests.benchmarks.test_benchmarks import ran_afresh


def test_what_checkpoints_cost_and_what_a_kill_loses() -> None:
    small = "--recipe cnn --side 16 --examples 200 --epochs 40 --every 0.3 --turns 1 --kills 2"
    kills, cost, state = ran_afresh("checkpoints", *small.split(), "--state-mb", "2")
    assert cost["checkpoints"] > 0
    assert cost["checkpoint_bytes"] > 10_000
    assert 0 < cost["pause_seconds"] < cost["training_seconds"]
    assert cost["share_at_interval"] == pytest.approx(cost["checkpoint_cpu_seconds"] / 600)
    assert state["state_bytes"] == 2_000_000
    both = state["copy_cpu_seconds"] + state["write_cpu_seconds"]
    assert state["share_at_interval"] == pytest.approx(both / 600)
    assert kills["has_same_bits"]
    assert not kills["checkpoints_left"]
    assert kills["most_lost_seconds"] == max(kills["lost_seconds"], default=0)
