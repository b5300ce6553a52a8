"""``memtail run`` with a pretrained backbone: from a file of weights to a report."""

import json
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.cli.conftest import Memtail, refused
from tests.training.backbones.user_backbone import small

STUDY = """
[study]
name = "tuned"
trials = 20
[dataset]
source = "sklearn:digits"
train_limit = 300
test_limit = 100
[training]
recipe = "finetune"
backbone = "python:tests.training.backbones.user_backbone:small"
weights = "weights.pt"
"""


@pytest.fixture
def study() -> Path:
    torch.save(small().state_dict(), "weights.pt")
    Path("tuned.toml").write_text(STUDY)
    return Path("tuned.toml")


def test_one_command_leads_to_a_report(memtail: Memtail, study: Path) -> None:
    planned = memtail("run", "tuned.toml", "--dry-run")
    assert "20 of finetune of python:tests.training.backbones.user_backbone:small" in planned.stdout
    assert not Path("runs").exists()
    ran = memtail("run", "tuned.toml", "--workers", "1", "--json")
    assert ran.exit_code == 0, ran.output
    summary = json.loads(ran.stdout)
    page = Path(summary["report"]).read_text()
    assert "data:image/" in page, "the report shows images, not features"
    assert '"by_backbone"' in page, "neighbours are near by the backbone's features"
    Path("weights.pt").unlink()
    again = memtail("run", summary["id"], "--workers", "1", "--trials", "30", "--json")
    assert again.exit_code == 0, again.output
    scores = memtail("scores", summary["id"], "--json")
    assert scores.exit_code == 0, scores.output


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.weights=nothing.pt", "weights = 'nothing.pt': there is no such file"),
        (
            "training.backbone=torchvision:resnet18",
            "is of another network: it lacks 'conv1.weight'",
        ),
        ("training.backbone=torchscript:a.pt", "TorchScript is a program"),
        ("training.frozen=some", 'should be true, false or "last-block"'),
        ("training.sise=96", "did you mean 'size'"),
        ("training.size=3", "size = 3"),
    ],
)
def test_mistakes_are_one_line(memtail: Memtail, study: Path, setting: str, message: str) -> None:
    assert message in refused(memtail("run", "tuned.toml", "--set", setting))


def test_published_weights_without_a_network(
    memtail: Memtail, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: Any, **named: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torch.hub.urlopen", offline)
    monkeypatch.setenv("TORCH_HOME", str(Path.cwd()))
    settings = ("training.backbone=torchvision:shufflenet_v2_x0_5", "training.weights=DEFAULT")
    options = [part for setting in settings for part in ("--set", setting)]
    assert "cannot download https://" in refused(memtail("run", "tuned.toml", *options))


def test_near_duplicates_by_the_features_of_a_frozen_backbone_count(memtail: Memtail) -> None:
    """Copies whose borders differ, by a backbone that sees no border; by pixels there are none."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 128, (90, 8, 8)).astype(np.uint8), np.arange(90) % 3
    x[np.arange(90), y + 2, y + 2] = 255
    copies = {0: 60, 7: 67, 30: 33}  # two in the test set, one in the training set
    for original, copy in copies.items():
        x[copy, 2:6, 2:6] = x[original, 2:6, 2:6]
    np.savez("data.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    backbone = "python:tests.training.backbones.user_backbone:middle"
    Path("study.toml").write_text(
        '[study]\nname = "copies"\ntrials = 40\n[dataset]\nsource = "npz:data.npz"\n'
        f'[training]\nrecipe = "finetune"\nbackbone = "{backbone}"\n'
    )
    assert memtail("run", "study.toml", "--workers", "1").exit_code == 0
    found = memtail("subgroups", "copies", "--json")
    assert found.exit_code == 0, found.output
    members = [each for each in json.loads(found.stdout)["members"] if each["duplicate_in"]]
    assert {(each["index"], each["duplicate_in"], each["duplicate_of"]) for each in members} == {
        (0, "test", 0),
        (7, "test", 7),
        (30, "train", 33),
        (33, "train", 30),
    }
