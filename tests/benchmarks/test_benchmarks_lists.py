"""The benchmark of lists runs, at a small size."""

from tests.benchmarks.test_benchmarks import ran_afresh


def test_the_lists_of_a_few_studies_are_measured() -> None:
    small = "--studies 3 --shards 2 --seconds 0.5 --settle 0"
    lines = ran_afresh("lists", *small.split())
    # Of each study 3 files, 6 of a report, 2 shards; less one shard and one manifest; the data.
    assert lines[0]["objects"] == 3 * 11 - 2 + 1
    measured = {line["what"] for line in lines}
    assert {"dashboard, first snapshot", "memtail status", "aggregator, a round"} <= measured
    assert {"memtail submit, one more: table", "memtail submit, one more: iris"} <= measured
    assert all(line["seconds"] > 0 for line in lines if "seconds" in line)
