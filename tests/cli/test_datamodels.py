"""``memtail datamodels``: what it prints, writes and refuses."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


@pytest.fixture
def report(trained: Trained, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return tmp_path / "runs" / trained.study.prefix / "report"


def test_datamodels_are_printed_written_and_judged(
    memtail: Memtail, report: Path, tmp_path: Path
) -> None:
    call = ("datamodels", "digits", "--device", "cpu", "--weights", "w.npz", "--top", "5")
    printed = memtail(*call, "--output", "datamodels.csv")
    assert printed.exit_code == 0, printed.output
    assert "Sparse linear models" in printed.stderr
    assert len(list(csv.DictReader((tmp_path / "datamodels.csv").open()))) == 100
    with np.load("w.npz", allow_pickle=False) as saved:
        assert saved["values"].shape == saved["indices"].shape == (100, 5)
        assert saved["trials"].tolist() == list(range(20))
    assert 'id="datamodels"' in (report / "index.html").read_text()
    assert (report / "figures" / "datamodels.svg").exists()
    kept = json.loads((report.parent / "experiments" / "datamodels.json").read_text())
    assert kept["made_from"] == 20
    message = refused(memtail("judge", "digits", "w.npz"))
    assert "was made from 20 of the trials that judge it" in message


def test_what_cannot_be_is_refused(memtail: Memtail, report: Path) -> None:
    assert "name an .npz file" in refused(memtail("datamodels", "digits", "--weights", "w.csv"))
    assert "lower --from-trials" in refused(memtail("datamodels", "digits", "--from-trials", "30"))
    assert "this machine has" in refused(memtail("datamodels", "digits", "--device", "cuda:99"))
