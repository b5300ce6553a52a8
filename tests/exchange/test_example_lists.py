"""Lists of examples, each read by the tool that it is for, or as its documentation says."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core.data import load
from memtail_core.errors import EstimationError
from memtail_core.exchange import registry
from memtail_core.exchange.exporting import export
from memtail_core.exchange.stored import StoredStudy
from memtail_core.running.loading import load_held_out
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import DatasetTable, Spec
from tests.conftest import Trained
from tests.exchange.planted import CLASSES, N_WRONG, N, Planted, train
from tests.texts import reviewed


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def read_by(tool: str, module: str, folder: Path) -> dict[str, Any]:
    """Let a tool read a folder, in a process of its own; skip where it is not installed.

    These two are large and ask for other versions of what memtail uses: MEMTAIL_TEST_FIFTYONE and
    MEMTAIL_TEST_LABEL_STUDIO name the Python of an environment that has them.
    """
    python = os.environ.get(f"MEMTAIL_TEST_{tool.upper()}")
    if python is None:
        pytest.importorskip(module)
    script = Path(__file__).with_name(f"read_by_{tool}.py")
    done = subprocess.run(
        [python or sys.executable, str(script), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def average_precision(score: np.ndarray, is_wrong: np.ndarray) -> float:
    ranked = is_wrong[np.argsort(-score, kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean())


def test_csv_is_a_row_per_example_and_runs_no_formula(lists: Planted) -> None:
    rows = rows_of(lists.folder("csv") / "examples.csv")
    assert [int(row["index"]) for row in rows] == list(range(N))
    assert rows[0]["name"] == '\'@first, "quoted"', "a spreadsheet shows it and runs nothing"
    given = [row["label"].removeprefix("'") for row in rows]
    assert given == [CLASSES[c] for c in lists.dataset.y_train]
    right = [
        row["predicted"].removeprefix("'") == CLASSES[c]
        for row, c in zip(rows, lists.right, strict=True)
    ]
    assert np.mean(right) > 0.85
    held_out = load_held_out(lists.store, lists.study)
    for i in (0, 7, N - 1):
        assert float(rows[i]["predicted_probability"]) == pytest.approx(held_out.mean[i].max())
        label = lists.dataset.y_train[i]
        assert float(rows[i]["label_probability"]) == pytest.approx(
            held_out.mean[i, label], abs=2e-3
        ), "the same, by the margins"
        near = [int(j) for j in rows[i]["neighbours"].split()]
        assert len(near) == 3 and i not in near
    wrong = np.array([float(row["mislabeled_probability"]) for row in rows])
    assert average_precision(wrong, lists.is_wrong) > 0.8


def test_cleanlabs_datalab_finds_the_planted_issues(lists: Planted) -> None:
    datalab = pytest.importorskip("cleanlab").Datalab
    folder = lists.folder("cleanlab")
    labels, features = np.load(folder / "labels.npy"), np.load(folder / "features.npy")
    pred_probs = np.load(folder / "pred_probs.npy")
    assert (pred_probs.dtype, pred_probs.shape) == (np.float32, (N, 10))
    np.testing.assert_allclose(pred_probs.sum(1), 1, rtol=1e-5)
    lab = datalab(data={"label": labels}, label_name="label", verbosity=0)
    lab.find_issues(pred_probs=pred_probs, features=features, issue_types={"label": {}})
    found = lab.get_issues("label")
    assert found["is_label_issue"].to_numpy()[lists.is_wrong].mean() >= 0.8
    assert average_precision(1 - found["label_score"].to_numpy(), lists.is_wrong) > 0.8
    ours = rows_of(folder / "issues.csv")
    issues = np.array([row["is_label_issue"] == "true" for row in ours])
    wrong = np.array([float(row["mislabeled_probability"]) for row in ours])
    np.testing.assert_array_equal(issues, wrong >= 0.5)
    assert lists.is_wrong[issues].mean() >= 0.8 and issues.any()
    score = np.array([float(row["label_score"]) for row in ours])
    assert average_precision(-score, lists.is_wrong) > 0.8
    assert json.loads((folder / "classes.json").read_text()) == list(CLASSES)


def test_datasets_loads_it_from_disk(lists: Planted) -> None:
    datasets = pytest.importorskip("datasets")
    found = datasets.load_from_disk(str(lists.folder("huggingface")))
    train, test = found["train"], found["test"]
    assert (len(train), len(test)) == (N, 100)
    assert train.features["label"].names == list(CLASSES)
    assert list(train["label"]) == lists.dataset.y_train.tolist()
    image = np.asarray(train[5]["image"])
    np.testing.assert_array_equal(image, lists.dataset.train.take([5])[0, ..., 0])
    assert train[0]["memtail_name"] == '@first, "quoted"', "lists hold names as they are"
    wrong = np.array(train["memtail_mislabeled_probability"])
    assert average_precision(wrong, lists.is_wrong) > 0.8
    assert len(train[0]["memtail_neighbours"]) == 3
    doubted = train.filter(
        lambda row: row["memtail_mislabeled_probability"] >= 0.5, keep_in_memory=True
    )
    assert doubted.num_rows == (wrong >= 0.5).sum() > 0


def test_memtails_own_source_reads_the_hugging_face_folder(lists: Planted) -> None:
    again = load(
        DatasetTable(source=f"hf:{lists.folder('huggingface')}", label="label", image="image")
    )
    assert [again.classes[c] for c in again.y_train] == [CLASSES[c] for c in lists.dataset.y_train]
    np.testing.assert_array_equal(again.train.whole(), lists.dataset.train.whole())


def test_label_studio_tasks_are_what_its_documentation_asks_for(lists: Planted) -> None:
    folder = lists.folder("label-studio")
    tasks: list[dict[str, Any]] = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    assert len(tasks) == N
    assert lists.is_wrong[[task["data"]["index"] for task in tasks[:N_WRONG]]].mean() > 0.6
    interface = (folder / "labels.xml").read_text(encoding="utf-8")
    assert 'value="&lt;b&gt;three&lt;/b&gt;"' in interface
    for task in tasks:
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == lists.study.id
        assert 0 <= prediction["score"] <= 1
        (result,) = prediction["result"]
        assert (result["from_name"], result["to_name"]) == ("label", "example")
        assert set(result["value"]["choices"]) < set(CLASSES)
        assert task["data"]["example"].startswith("data:image/png;base64,")


def test_label_studios_own_sdk_accepts_the_tasks(lists: Planted) -> None:
    """Its validator checks data and choices against the labeling interface."""
    found = read_by("label_studio", "label_studio_sdk", lists.folder("label-studio"))
    assert found == {"tasks": N, "wrong": 0, "broken": False}


def test_fiftyone_samples_have_files_and_fields(lists: Planted) -> None:
    from PIL import Image

    folder = lists.folder("fiftyone")
    samples = json.loads((folder / "samples.json").read_text(encoding="utf-8"))["samples"]
    assert "version" not in json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    assert len(samples) == N
    for i in (0, N - 1):
        image = np.asarray(Image.open(folder / samples[i]["filepath"]))
        np.testing.assert_array_equal(image, lists.dataset.train.take([i])[0, ..., 0])
    doubted = np.array(["doubted" in sample["tags"] for sample in samples])
    wrong = np.array([sample["mislabeled_probability"] for sample in samples])
    np.testing.assert_array_equal(doubted, wrong >= 0.5)
    confidence = [sample["prediction"]["confidence"] for sample in samples]
    assert 0.1 <= min(confidence) <= max(confidence) <= 1


def test_fiftyones_own_importer_reads_the_samples(lists: Planted) -> None:
    found = read_by("fiftyone", "fiftyone", lists.folder("fiftyone"))
    assert (found["samples"], found["wrong_type"]) == (N, 0)


def test_the_same_study_gives_the_same_files(lists: Planted, tmp_path: Path) -> None:
    for name in ("cleanlab", "huggingface", "csv"):
        export(StoredStudy(lists.store, lists.study), registry.FORMATS[name], tmp_path / name)
        for file in sorted(each for each in lists.folder(name).rglob("*") if each.is_file()):
            again = tmp_path / name / file.relative_to(lists.folder(name))
            assert again.read_bytes() == file.read_bytes(), file


def test_without_probabilities_cleanlab_says_how_to_get_them_and_others_work(
    trained: Trained, tmp_path: Path
) -> None:
    stored = StoredStudy(trained.store, trained.study)
    with pytest.raises(EstimationError, match=r"needs probabilities.*--set study") as caught:
        export(stored, registry.FORMATS["cleanlab"], tmp_path / "cleanlab")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cleanlab").exists()
    export(stored, registry.FORMATS["csv"], tmp_path / "csv")
    rows = rows_of(tmp_path / "csv" / "examples.csv")
    assert {row["predicted"] for row in rows} == {""}
    assert all(row["label_probability"] for row in rows)
    export(stored, registry.FORMATS["label-studio"], tmp_path / "studio")
    tasks = json.loads((tmp_path / "studio" / "tasks.json").read_text())
    assert all(
        t["predictions"][0]["result"][0]["value"]["choices"] == [t["data"]["label"]] for t in tasks
    )


@pytest.mark.parametrize("kind", ["text", "features"])
def test_texts_and_tables_are_listed_too(kind: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    table = {"recipe": "bag", "buckets": 256, "epochs": 2} if kind == "text" else {}
    spec = Spec.parse(
        {
            "study": {"probabilities": True, "shard_size": 10},
            "dataset": {"source": "sklearn:iris"},
            "training": table or {"recipe": "linear"},
        }
    )
    study, dataset = prepare(spec, reviewed() if kind == "text" else None)
    store = FilesStore(tmp_path / "runs")
    train(store, study, dataset, 10)
    for name in registry.WRITTEN:
        format_ = registry.FORMATS[name]
        if name == "fiftyone":
            with pytest.raises(EstimationError, match="fiftyone shows images"):
                export(StoredStudy(store, study), format_, tmp_path / name)
        elif format_.lists_examples:
            export(StoredStudy(store, study), format_, tmp_path / name)
    tasks = json.loads((tmp_path / "label-studio" / "tasks.json").read_text(encoding="utf-8"))
    found = datasets.load_from_disk(str(tmp_path / "huggingface"))["train"]
    at = tasks[0]["data"]["index"]
    if kind == "text":
        assert dataset.texts is not None
        assert tasks[0]["data"]["example"] == dataset.texts.train[at] == found[at]["text"]
    else:
        row = dataset.train.take([at])[0]
        shown = dict(zip(dataset.features, row.tolist(), strict=True))
        assert tasks[0]["data"]["example"] == shown
        assert {name: found[at][name] for name in dataset.features} == shown
    probabilities = np.load(tmp_path / "cleanlab" / "pred_probs.npy")
    assert probabilities.shape == (len(dataset.y_train), len(dataset.classes))
    spread = np.load(tmp_path / "cleanlab" / "spread.npy")
    assert spread.dtype == np.float16 and (spread >= 0).all() and spread.max() <= 0.5
