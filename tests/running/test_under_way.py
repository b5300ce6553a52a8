"""Reports of training processes: what was written is read, and nothing stops a training."""

from pathlib import Path

import pytest

from memtail_core.plan.shards import Shard
from memtail_core.running import under_way
from memtail_core.running.under_way import Meter, UnderWay, forget, into, read


def test_what_a_process_reports_is_read_until_its_shard_is_stored(tmp_path: Path) -> None:
    first, second = Shard(0, 1), Shard(1, 2)
    into(tmp_path, second)("evaluating", 3.5)
    into(tmp_path, first)("epoch 1 of 2", 10.0)
    into(tmp_path, first)("epoch 2 of 2", 12.0)
    assert read(tmp_path) == [
        UnderWay(first.name, "epoch 2 of 2", 12.0),
        UnderWay(second.name, "evaluating", 3.5),
    ]
    forget(tmp_path, first)
    assert [each.shard for each in read(tmp_path)] == [second.name]


def test_a_folder_that_is_gone_or_holds_other_files_does_no_harm(tmp_path: Path) -> None:
    into(tmp_path / "gone", Shard(0, 1))("epoch 1 of 2", 1.0)
    (tmp_path / "a.json").write_text("[")
    (tmp_path / "b.json").write_text('{"shard": 1}')
    assert read(tmp_path) == []
    assert read(tmp_path / "gone") == []


def test_the_rate_is_of_the_time_since_the_last_report(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr(under_way.time, "monotonic", lambda: clock)
    heard: list[tuple[str, float]] = []
    meter = Meter(lambda *said: heard.append(said))
    for step in range(1, 25):
        meter.reached(f"step {step}", 3, clock + step)
    assert heard == [(f"step {step}", 3.0) for step in (5, 10, 15, 20)]
    Meter(None).reached("step 1", 3, clock + 1000)
