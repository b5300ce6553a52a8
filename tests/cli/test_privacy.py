"""``memtail privacy``: attacks, fewer references, a model from outside, the page to file."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memtail_core.experiments.privacy.document import document
from memtail_core.experiments.privacy.result import Privacy
from memtail_core.report.page.document import document_page
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def model(folder: Path) -> Path:
    """A model from outside, which margins of noise are told of."""
    rng = np.random.default_rng(0)
    members = rng.random(300) < 0.5
    path = Path("model.npz")
    np.savez(
        path,
        margins=rng.normal(4 + 4 * members, 2),
        test_margins=rng.normal(4, 2, 100),
        members=members,
        drawn="coins",
    )
    return path


def test_everything_at_once(memtail: Memtail, trained: Trained, model: Path) -> None:
    options = ("--references", "10,20", "--target", str(model), "--epsilon", "2")
    result = memtail("privacy", "digits", *options, "--page", "audit.html", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [each["references"] for each in found["few"]] == [10, 20]
    assert len(found["attacks"]) == 8
    assert found["epsilon"]["claimed"] == 2
    assert found["epsilon"]["delta"] == 1e-5
    assert found["epsilon"]["models"] == 2, "one of every second of four blocks"
    assert len(found["target"]["scores"]) == 300
    assert len(found["target"]["attacks"]) == 8
    page = Path("audit.html").read_text()
    for text in ("Lower bound on ε", "A model from outside", "model.npz", "RMIA", trained.study.id,
                 "Assumptions and limits", "Clopper–Pearson"):  # fmt: skip
        assert text in page, text
    assert "<script" not in page
    printed = memtail("privacy", "digits", *options).stdout
    assert "reference models, the strongest attack" in printed
    assert "Of the model in model.npz" in printed
    assert "refuted" in printed
    memtail("privacy", "digits", "--target", str(model), "--output", "exposed.csv")
    (header, *rows) = csv.reader(Path("exposed.csv").read_text().splitlines())
    assert {"target_score", "target_called_at"} <= set(header)
    assert len(rows) == 300


def test_chosen_attacks_are_made_beside_the_likelihood_ratio(
    memtail: Memtail, folder: Path
) -> None:
    found = json.loads(memtail("privacy", "digits", "--attacks", "rmia,bayes", "--json").stdout)
    assert [each["name"] for each in found["attacks"]] == [
        "likelihood ratio", "likelihood ratio, pooled variance", "loss", "RMIA",
        "LiRA, shared prior",
    ]  # fmt: skip
    every = json.loads(memtail("privacy", "digits", "--json").stdout)
    of = {each["name"]: each for each in every["attacks"]}
    assert all(each == of[each["name"]] for each in found["attacks"])


def test_what_cannot_be_asked_for_is_said(memtail: Memtail, folder: Path) -> None:
    wrong = memtail("privacy", "digits", "--attacks", "rmia,lyra")
    assert wrong.exit_code == 2
    assert "'lyra' is none of lira, lira-pooled" in wrong.output
    assert memtail("privacy", "digits", "--delta", "1").exit_code == 2
    assert memtail("privacy", "digits", "--epsilon", "-1").exit_code == 2
    assert memtail("privacy", "digits", "--page", "audit.pdf").exit_code == 2
    assert "--references 40" in refused(memtail("privacy", "digits", "--references", "40"))
    assert "No such file" in refused(memtail("privacy", "digits", "--target", "none.npz"))


def test_names_are_escaped_on_the_page(memtail: Memtail, trained: Trained, model: Path) -> None:
    nasty = "<script>alert(1)</script>"
    result = memtail("privacy", "digits", "--target", str(model), "--json")
    found = json.loads(result.stdout)
    found.pop("report")
    found["target"]["file"] = nasty
    found["found"][0] = 1.0
    dataset = replace(
        trained.dataset,
        classes=tuple(f"{nasty} {name}" for name in trained.dataset.classes),
        train_names=tuple(f"{nasty} {i}" for i in range(300)),
    )
    page = document_page(document(Privacy.model_validate(found), trained.study, dataset))
    assert nasty not in page
    assert page.count("&lt;script&gt;alert(1)") > 10
