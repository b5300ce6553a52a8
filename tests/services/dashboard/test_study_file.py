"""The study file that someone typed in, and those to begin with."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from memtail_core.data import Dataset
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study, shipped
from services.dashboard import study_file
from tests.services.dashboard.still import TOKEN, client, parsed, viewed


def read(client: TestClient, text: str, **more: Any) -> Any:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    return client.post("/submit/read", json={"text": text, **more}, headers=bearer)


def test_a_study_file_becomes_what_the_api_takes(folder: FilesStore) -> None:
    text = '[study]\nseed = 9223372036854775807\n[dataset]\nsource = "sklearn:digits"\n'
    answer = read(client(folder), text, trials=7, device="cuda").json()
    assert json.loads(answer["body"]) == {
        "study": {"seed": 9223372036854775807},
        "dataset": {"source": "sklearn:digits"},
        "trials": 7,
        "device": "cuda",
    }
    assert "7 models" in answer["summary"]
    stored = read(client(folder), text, dataset="0" * 64).json()
    assert json.loads(stored["body"])["dataset"] == {"source": f"stored:{'0' * 64}"}
    as_json = '{"dataset": {"source": "sklearn:digits"}}'
    assert json.loads(read(client(folder), as_json).json()["body"]) == json.loads(as_json)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[dataset",
        "[study]\ntrials = 3",
        '[dataset]\nsource = "x"\n[study]\nname = "No Name"',
        "{" * 60_000,
        '{"dataset": ' + "[" * 60_000,
        "a = " + "[" * 60_000,
        '{"dataset": {"source": "\\ud800"}}',
        '{"dataset": {"source": "x", "n": ' + "9" * 5000 + "}}",
        '{"dataset": 1}',
        "{}",
        "# " * 40_000,
        '[dataset]\nsource = "x"\nn = 0x' + "f" * 5000,
        '[dataset]\nsource = "x"\nn = 0x' + "f" * 50,
        "[study]\ntrials = 0x" + "f" * 5000,
        '{"study": {"name": "\\ud800"}}',
        '{"dataset": {"source": "x", "\\ud800": 1}}',
        '{"dataset": {"source": "x", "deep": ' + "[" * 100 + "]" * 100 + "}}",
    ],
    ids=range(18),
)
def test_what_is_no_study_file_is_told_in_one_line(folder: FilesStore, text: str) -> None:
    answer = read(client(folder), text)
    assert answer.status_code == 422, answer.text
    assert "\n" not in answer.json()["detail"]
    assert "study file" in answer.json()["detail"]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_form_begins_with_any_study_that_ships(folder: FilesStore, name: str) -> None:
    found = client(folder)
    assert f'name = "{name}"' in parsed(found, f"/submit?study={name}").text
    body = json.loads(read(found, study_file.shipped_text(name)).json()["body"])
    assert Spec.parse(body) == Spec.load(name)


def test_or_with_one_that_is_here_which_is_then_the_same_study(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    study, dataset = prepared
    found = client(folder, viewed(study))
    assert study.dataset.sha256 in parsed(found, f"/submit?study={study.id}").text
    body = json.loads(read(found, study_file.like(study)).json()["body"])
    assert prepare(Spec.parse(body), dataset).study.id == study.id
