"""The benchmark of lists runs, at a small size, in a fresh process of Python."""

import json
import subprocess
import sys

from tests.benchmarks.test_benchmarks import ROOT


def test_the_lists_of_a_few_studies_are_measured() -> None:
    small = "--studies 3 --shards 2 --seconds 0.5 --settle 0 --json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "lists.py"), *small.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    # Of each study 3 files, 6 of a report, 2 shards; less one shard and one manifest; the data.
    assert lines[0]["objects"] == 3 * 11 - 2 + 1
    measured = {line["what"] for line in lines}
    assert {"dashboard, first snapshot", "memtail status", "aggregator, a round"} <= measured
    assert all(line["seconds"] > 0 for line in lines if "seconds" in line)
