"""A language model's study from its file to the report, as a user sees it."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import main
from memtail_core import catalogue
from memtail_core.data.modalities.text.cleaning import clean
from memtail_core.running import loading
from memtail_core.store import FilesStore
from services.dashboard import influence as on_dashboard
from tests.cli.conftest import Memtail, refused
from tests.texts import reviews

STUDY = """
[study]
name = "stories"
trials = 24
shard_size = 8
[dataset]
source = "jsonl:{folder}/stories.jsonl"
text = "text"
task = "language-modelling"
[dataset.tokens]
vocabulary = 300
length = 12
[training]
width = 8
heads = 2
hidden = 16
layers = 1
epochs = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study file and its store of 24 models."""
    folder = tmp_path_factory.mktemp("stories")
    lines = [json.dumps({"text": text, "id": i}) for i, text in enumerate(reviews(60)[0])]
    lines[3:5] = [json.dumps({"text": "", "id": 3}), json.dumps({"text": "<b>x</b>", "id": 4})]
    (folder / "stories.jsonl").write_text("\n".join(lines))
    (folder / "study.toml").write_text(STUDY.format(folder=folder))
    arguments = ["run", str(folder / "study.toml"), "--store", str(folder / "runs")]
    result = CliRunner().invoke(main, [*arguments, "--workers", "1"])
    assert result.exit_code == 0, result.output
    (folder / "said").write_text(result.output)
    return folder


def store_of(folder: Path) -> tuple[str, str]:
    return "--store", str(folder / "runs")


def test_the_plan_says_what_was_read(memtail: Memtail, folder: Path) -> None:
    result = memtail("run", str(folder / "study.toml"), "--dry-run", *store_of(folder))
    said = result.output + (folder / "said").read_text()
    assert "48 training and 12 test texts, without labels" in said
    assert re.search(r"\d+ texts cut after 12 tokens", said)
    assert re.search(r"1 (training|test) text is empty", said)
    assert "24 of gpt" in said


def test_scores_are_mean_accuracies_of_next_tokens(memtail: Memtail, folder: Path) -> None:
    rows = json.loads(memtail("scores", "stories", *store_of(folder), "--json").stdout)
    store = FilesStore(folder / "runs")
    trials, _ = loading.load(store, catalogue.find(store, "stories"), values=True)
    subset = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(bool)
    assert trials.train_values is not None
    for i in (0, 20, 47):
        values = trials.train_values[:, i].astype(float)
        mean_in, mean_out = values[subset[:, i]].mean(), values[~subset[:, i]].mean()
        assert rows[i]["accuracy_in"] == pytest.approx(mean_in, rel=1e-5)
        assert rows[i]["memorization"] == pytest.approx(mean_in - mean_out, abs=1e-6)


def test_pairs_are_by_accuracy_too(memtail: Memtail, folder: Path) -> None:
    options = ("--min-influence", "-1", "--min-memorization", "-1", "--top", "5", "--json")
    found = memtail("pairs", "stories", *store_of(folder), *options)
    assert found.exit_code == 0, found.output
    assert '"accuracy"' in found.stdout
    table = memtail("pairs", "stories", *store_of(folder), *options[:-1]).stdout
    assert "influence" in table
    assert not {"class", "document"} & set(table.split())


def test_log_likelihoods_are_kept_instead_where_the_study_says_so(
    memtail: Memtail, folder: Path
) -> None:
    """The models are the same: only what is kept of them differs."""
    store, options = FilesStore(folder / "runs"), ("--trials", "8", "--workers", "1")
    value = ("--set", "training.value=log-likelihood", "--set", "study.name=likely")
    ran = memtail("run", str(folder / "study.toml"), *value, *options, *store_of(folder))
    assert ran.exit_code == 0, ran.output
    likely, plain = (
        loading.load(store, catalogue.find(store, name), values=True)[0]
        for name in ("likely", "stories")
    )
    assert likely.train_values is not None
    assert likely.train_values.max() <= 0
    assert likely.subset.tobytes() == plain.subset[:8].tobytes()
    subset = np.unpackbits(likely.subset, axis=1, count=likely.n).astype(bool)
    i = int(np.flatnonzero((subset.sum(0) > 1) & (subset.sum(0) < 7))[0])
    values = likely.train_values[:, i].astype(float)
    for measure, of in (("likelihood", np.exp(values)), ("log-likelihood", values)):
        asked = ("scores", "likely", "--measure", measure, "--json")
        rows = json.loads(memtail(*asked, *store_of(folder)).stdout)
        expected = of[subset[:, i]].mean() - of[~subset[:, i]].mean()
        assert rows[i]["memorization"] == pytest.approx(expected, abs=1e-5)
        assert rows[i][f"{measure}_in"] == pytest.approx(of[subset[:, i]].mean(), rel=1e-5)
    default = json.loads(memtail("scores", "likely", "--json", *store_of(folder)).stdout)
    assert "likelihood_in" in default[i]


def test_what_a_document_rests_on_is_by_accuracy(memtail: Memtail, folder: Path) -> None:
    store = FilesStore(folder / "runs")
    study = catalogue.find(store, "stories")
    trials, _ = loading.load(store, study, values=True)
    assert trials.test_values is not None
    test = int(trials.test_values.std(axis=0).argmax())
    found = memtail("influence", "stories", *store_of(folder), "--test", str(test), "--json")
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)
    assert {row["measure"] for row in rows} == {"accuracy"}
    subset = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(bool)
    outcome = trials.test_values[:, test].astype(float)
    influence = subset.T @ outcome / subset.sum(axis=0)
    influence -= (~subset).T @ outcome / (~subset).sum(axis=0)
    strongest = np.sort(influence)[:-21:-1]
    assert [row["influence"] for row in rows] == pytest.approx(strongest, abs=1e-5)

    view: Any = SimpleNamespace(study=study, status=SimpleNamespace(stored=24))
    loaded = on_dashboard._load(store, view)
    answer = on_dashboard._answer(loaded, view, on_dashboard.Asked("test", test, 20, False))
    shown = [row["influence"] for row in json.loads(answer)["items"]]
    assert shown == pytest.approx(strongest, abs=1e-5)


def test_the_report_shows_documents_and_speaks_of_no_class(memtail: Memtail, folder: Path) -> None:
    assert memtail("report", "stories", *store_of(folder)).exit_code == 0
    (page,) = (folder / "runs").glob("studies/stories-*/report/index.html")
    html = page.read_text()
    body = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)
    assert "By class" not in body
    assert "mislabeled" not in body
    assert ">class<" not in body
    assert ">document<" not in body
    assert "next tokens" in body
    assert "<b>x</b>" not in body
    shown = [clean(text) for text in reviews(60)[0] if text in body]
    assert len(shown) >= 5


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("subgroups", "stories"), "has no labels to doubt"),
        (("approximate", "stories"), "no method applies: .* these texts have none"),
        (("last-layer", "stories"), "the last layer of 'gpt' is not linear"),
        (("privacy", "stories"), "keeps no margins"),
        (("datamodels", "stories"), "keeps no margins"),
        (("export", "stories", "--to", "dattri", "-o", "out"), "has no margins of test examples"),
        (("scores", "stories", "--measure", "margin"), "choose accuracy or correctness"),
        (("scores", "stories", "--calibrated"), "calibrated"),
        (("run", "study.toml", "--set", "dataset.label=id"), "label = 'id': with task"),
        (
            ("run", "study.toml", "--set", "training.recipe=transformer"),
            "'transformer' learns labels, and these texts have none",
        ),
        (("run", "study.toml", "--set", "dataset.task=classify"), "task = 'classify': should be"),
    ],
)
def test_what_does_not_apply_says_so_in_a_line(
    memtail: Memtail, folder: Path, command: tuple[str, ...], message: str
) -> None:
    command = tuple(str(folder / part) if part == "study.toml" else part for part in command)
    assert re.search(message, refused(memtail(*command, *store_of(folder))))
