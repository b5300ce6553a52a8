"""The benchmark of the dashboard's readers runs, at a small size, in a fresh process of Python."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.test_benchmarks import ROOT


def test_readers_are_answered_while_shards_land() -> None:
    small = "--readers 12 --first 3 --seconds 3 --think 0.2 --shards 5 --json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "readers.py"), *small.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    *each, every = [json.loads(line) for line in done.stdout.splitlines()]
    assert every["errors"] == 0, every["said"]
    assert every["requests"] == sum(one["requests"] for one in each) > 20
    assert every["requests_a_second"] == pytest.approx(every["requests"] / 3)
    assert every["shards_landed"] > 3
    assert every["events"] > 1
    assert all(one["p50_ms"] <= one["p99_ms"] <= one["most_ms"] for one in each)
