"""``memtail run --part``: jobs of a batch system share a study, and give what one run gives."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Memtail, refused
from tests.cli.test_run import STUDY


def test_parts_train_what_one_run_trains_and_the_last_reports(memtail: Memtail) -> None:
    Path("odd.toml").write_text(STUDY)
    first = memtail("run", "odd.toml", "--workers", "1", "--part", "1/2")
    assert first.exit_code == 0, first.output
    assert "part 1/2 is stored; 10 of 20 models are left to other parts" in first.stdout
    assert not list(Path("runs").rglob("index.html"))
    again = json.loads(memtail("run", "odd.toml", "--part", "1/2", "--json").stdout)
    assert (again["part"], again["stored"], again["missing"]) == ("1/2", 10, 10)
    last = memtail("run", "odd.toml", "--workers", "1", "--part", "0/2")
    assert "of 300 scored training examples" in last.stdout
    whole = memtail("run", "odd.toml", "--workers", "1", "--store", "other")
    assert whole.exit_code == 0
    shared, alone = (
        next(Path(store).rglob("scores.parquet")).read_bytes() for store in ("runs", "other")
    )
    assert shared == alone


@pytest.mark.parametrize("part", ["2/2", "two", "1"])
def test_what_is_no_part_is_refused(memtail: Memtail, part: str) -> None:
    Path("odd.toml").write_text(STUDY)
    assert "is no part" in refused(memtail("run", "odd.toml", "--part", part))
    assert not Path("runs").exists()


def test_a_part_knows_no_rule_that_stops_all(memtail: Memtail) -> None:
    Path("odd.toml").write_text(STUDY)
    done = memtail("run", "odd.toml", "--part", "0/2", "--until", "se<=0.1")
    assert done.exit_code == 2
    assert "--part" in done.stderr
