"""``memtail values``: what it prints, writes and adds to the report."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Memtail
from tests.conftest import Trained


@pytest.fixture
def report(trained: Trained, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return tmp_path / "runs" / trained.study.prefix / "report"


def test_values_are_printed_written_and_reported(
    memtail: Memtail, report: Path, tmp_path: Path
) -> None:
    printed = memtail("values", "digits", "--output", "values.csv")
    assert printed.exit_code == 0, printed.output
    assert "Of 300 training examples" in printed.stderr
    rows = list(csv.DictReader((tmp_path / "values.csv").open()))
    assert len(rows) == 300
    value = [float(row["accuracy_value"]) for row in rows]
    assert value == sorted(value)
    assert 'id="values"' in (report / "index.html").read_text()
    assert (report / "figures" / "values.svg").exists()
    kept = json.loads((report.parent / "experiments" / "values.json").read_text())
    assert [each["outcome"] for each in kept["measures"]] == ["accuracy", "probability", "margin"]
    assert memtail("values", "digits", "--fdr", "0").exit_code == 2
    assert memtail("values", "digits", "--outcome", "loss").exit_code == 2
