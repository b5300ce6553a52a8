"""Scores, pairs, files and influence as the API gives them, against tables and estimators."""

import csv
import hashlib
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memtail_core import catalogue
from memtail_core.analysis.loaded_study import LoadedStudy
from memtail_core.analysis.pair_queries import PairQuery
from memtail_core.catalogue import reports
from memtail_core.data import Dataset
from memtail_core.estimation.influence import counter_for, find
from memtail_core.plan.shards import Shard
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard import influence
from services.dashboard.byte_cache import ByteCache
from tests.conftest import Trained
from tests.services.dashboard.conftest import Show, Shown, publish


def stored_scores(shown: Shown) -> list[dict[str, object]]:
    content = shown.store.get(f"{shown.study.prefix}report/scores.parquet")
    rows: list[dict[str, object]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


def test_pages_of_scores_are_the_table(shown: Shown) -> None:
    rows, path, n_pages = [], f"{shown.path}/scores?limit=77", 0
    while path:
        page = shown.client.get(path).json()
        assert (page["total"], page["models"], page["id"]) == (300, 40, shown.study.id)
        rows += page["items"]
        path, n_pages = page["links"].get("next"), n_pages + 1
    assert n_pages == 4
    assert rows == stored_scores(shown)
    back = shown.client.get(page["links"]["previous"]).json()
    assert back["items"] == rows[154:231]


def test_the_same_page_in_three_formats(shown: Shown) -> None:
    as_json = shown.get("/scores", limit=20, offset=5).json()
    table = pq.read_table(
        io.BytesIO(shown.get("/scores", limit=20, offset=5, format="parquet").content)
    )
    assert table.to_pylist() == as_json["items"]
    answer = shown.client.get(as_json["links"]["csv"])
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-total-count"] == "300"
    assert 'rel="next"' in answer.headers["link"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [float(row["memorization"]) for row in rows] == [
        pytest.approx(row["memorization"]) for row in as_json["items"]
    ]


def test_rows_are_chosen_and_sorted(shown: Shown) -> None:
    every = stored_scores(shown)
    asked = shown.get("/scores", sort="-memorization", min_memorization=0.25, label=3, limit=1000)
    wanted = [row for row in every if row["label"] == 3 and row["memorization"] >= 0.25 - 1e-9]
    assert wanted
    wanted.sort(key=lambda row: -row["memorization"])
    assert asked.json()["items"] == wanted
    assert asked.json()["total"] == len(wanted)
    none = shown.get("/scores", label=99).json()
    assert (none["items"], none["total"]) == ([], 0)
    beyond = shown.get("/scores", offset=10**9).json()
    assert (beyond["items"], beyond["total"]) == ([], 300)


def test_pages_of_pairs_are_the_table(shown: Shown, trained: Trained) -> None:
    found = shown.get("/pairs", sort="-influence", limit=1000).json()
    pairs = trained.analysis.pairs
    assert found["total"] == len(pairs) > 3
    assert [row["influence"] for row in found["items"]] == sorted(pairs.influence, reverse=True)
    label = found["items"][0]["train_label"]
    chosen = shown.get("/pairs", label=label).json()["items"]
    assert {row["train_label"] for row in chosen} == {label}


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 10_001},
        {"offset": -1},
        {"offset": 10**30},
        {"format": "npz"},
        {"sort": "name; drop table"},
        {"min_memorization": "nan"},
        {"min_memorization": "inf"},
        {"label": -1},
        {"label": 2**63},
    ],
    ids=str,
)
def test_a_wrong_query_is_one_sentence(shown: Shown, query: dict[str, object]) -> None:
    for table in ("scores", "pairs"):
        found = shown.get(f"/{table}", **query)
        assert found.status_code == 422
        assert found.json().keys() == {"detail"}
        assert "\n" not in found.json()["detail"]


def test_an_unknown_score_is_null(show: Show, store: FilesStore, trained: Trained) -> None:
    analysis = trained.analysis
    missing = np.where(np.arange(300) == 7, np.nan, analysis.scores.memorization)
    scores = replace(analysis.scores, memorization=missing)
    publish(store, trained.study, replace(analysis, scores=scores))
    shown = show()
    assert shown.get("/scores", offset=7, limit=1).json()["items"][0]["memorization"] is None
    last = shown.get("/scores", sort="memorization", offset=299).json()["items"]
    assert [row["index"] for row in last] == [7]


def test_files_of_the_report_are_only_those_of_its_manifest(shown: Shown) -> None:
    manifest = reports.whole(shown.store, shown.study)
    assert manifest
    for name, digest in manifest.files.items():
        found = shown.get(f"/report/{name}")
        assert hashlib.sha256(found.content).hexdigest() == digest
        assert found.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert found.headers["content-disposition"].startswith("attachment")
    secret = Path(shown.store.location).parent / "secret"
    secret.write_text("hush")
    for name in (
        "../study.json",
        "../../../../secret",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret",
        "..%2f..%2f..%2f..%2fsecret",
        "figures/../../study.json",
        "manifest.json",
        "/etc/passwd",
        str(secret),
        "",
        "index.html%00",
        "index.html/",
        "shards/0000000-0000005.npz",
        "\u2028",
    ):
        found = shown.get(f"/report/{name}")
        assert found.status_code == 404, name
        assert "hush" not in found.text


def test_a_manifest_that_names_other_keys_names_nothing(show: Show, store: FilesStore) -> None:
    """Someone who can write to the bucket writes a manifest."""
    shown = show()
    content = store.get(f"{shown.study.prefix}study.json")
    digest = hashlib.sha256(content).hexdigest()
    for name in ("../study.json", "..", "/etc/hostname", "a//b"):
        manifest = {"trials": 40, "files": {name: digest}}
        store.put(f"{shown.study.prefix}report/manifest.json", json.dumps(manifest).encode())
        shown.dashboard.monitor.wake()
        shown.dashboard.monitor.look()
        encoded = "".join(f"%{ord(letter):02x}" for letter in name)  # or httpx makes a path of it
        assert shown.get(f"/report/{encoded}").status_code in (404, 503)
        assert shown.client.get("/healthz").status_code == 200


def test_while_a_report_is_replaced_the_one_before_is_shown(shown: Shown) -> None:
    before = shown.get("/scores").json()
    for name in ("scores", "pairs"):
        shown.store.put(f"{shown.study.prefix}report/{name}.parquet", b"half of another")
    assert shown.get("/scores", limit=99).json()["items"] == before["items"][:99]
    again = shown.get("/pairs")
    assert (again.status_code, again.headers["retry-after"]) == (503, "1")


def test_a_table_that_is_none_is_told(show: Show, store: FilesStore) -> None:
    shown = show()
    reports.write(store, shown.study, {"scores.parquet": b"PAR1 nonsense PAR1"}, 40)
    shown.dashboard.monitor.wake()
    shown.dashboard.monitor.look()
    assert shown.get("/scores").status_code == 409
    assert shown.get("/pairs").status_code in (404, 503)


def test_without_a_report_there_are_no_scores(show: Show, store: FilesStore) -> None:
    shown = show()
    for key in list(store.list(f"{shown.study.prefix}report/")):
        store.delete(key)
    shown.dashboard.monitor.wake()
    shown.dashboard.monitor.look()
    for what in ("/scores", "/pairs", "/report/index.html"):
        assert shown.get(what).status_code == 404
    assert shown.get().json()["report"] is None


@pytest.mark.parametrize(("of", "index"), [("train", 3), ("test", 47), ("train", 299)])
@pytest.mark.parametrize("harmful", [False, True])
def test_influence_of_one_example(
    shown: Shown, trained: Trained, of: str, index: int, harmful: bool
) -> None:
    material = LoadedStudy(trained.study, trained.dataset, trained.trials)
    asked = {of: [index]}
    family = PairQuery(**asked, same_class=False).family(material)  # type: ignore[arg-type]
    evidence = material.evidence.of_errors() if harmful else material.evidence
    every = find(evidence, family, -1.0, counter=counter_for("cpu"))
    every = every.of_harm() if harmful else every
    found = shown.get(f"/{of}/{index}/influence", k=5, harmful=harmful).json()
    assert found["models"] == 40
    strongest = sorted(every.influence, reverse=not harmful)[:5]
    assert [row["influence"] for row in found["items"]] == pytest.approx(strongest)
    assert {row[f"{of}_index"] for row in found["items"]} == {index}


def test_influence_of_no_example_is_not_there(shown: Shown) -> None:
    for what in ("/train/300/influence", "/test/100/influence"):
        found = shown.get(what)
        assert (found.status_code, "example: the indices are 0 to" in found.text) == (404, True)
    for what in ("/train/-1/influence", "/train/x/influence", "/test/1e3/influence"):
        assert shown.get(what).status_code == 422
    assert shown.get("/train/1/influence", k=0).status_code == 422


def test_a_prediction_that_rests_on_nothing_says_why(shown: Shown, trained: Trained) -> None:
    correct = np.unpackbits(trained.trials.test_correct, axis=1, count=100)
    index = int(np.flatnonzero(correct.all(axis=0))[0])
    found = shown.get(f"/test/{index}/influence").json()
    assert found["items"] == []
    assert "right" in found["note"]


def test_trials_are_loaded_once_for_all_who_ask(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, load = [], influence._load
    monkeypatch.setattr(influence, "_load", lambda *given: loads.append(1) or load(*given))
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: shown.get(f"/train/{i % 20}/influence"), range(60)))
    assert {each.status_code for each in found} == {200}
    assert len(loads) == 1
    assert found[3].content == found[43].content


def test_influence_of_more_models_follows_later(
    show: Show, store: FilesStore, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = Shard(35, 40).key(trained.study)
    content = store.get(last)
    store.delete(last)
    shown = show()
    monkeypatch.setattr(influence, "_AGAIN", 0.0)
    assert shown.get("/train/3/influence").json()["models"] == 35
    store.put(last, content)
    shown.dashboard.monitor.wake()
    shown.dashboard.monitor.look()
    deadline = threading.Event()
    for _ in range(200):
        if shown.get("/train/3/influence").json()["models"] == 40:
            break
        deadline.wait(0.05)
    assert shown.get("/train/3/influence").json()["models"] == 40


def test_a_study_without_trials_has_no_influence(
    show: Show, store: FilesStore, trained: Trained
) -> None:
    other = trained.study.model_copy(update={"name": "other"})
    catalogue.register(store, other, trained.dataset, 10)
    shown = show()
    found = shown.client.get(f"/api/v1/studies/{other.id}/train/0/influence")
    assert (found.status_code, "no trained model" in found.text) == (409, True)


def test_names_are_only_text(show: Show, store: FilesStore, trained: Trained) -> None:
    """A class called ``<script>`` is no more than that in JSON, which no browser takes for HTML."""
    hostile = "<script>alert(1)</script>"
    data = trained.dataset
    renamed = replace(data, classes=(hostile, *data.classes[1:]))
    dataset = Dataset.from_npz(renamed.to_npz(), renamed.sha256)
    identity = trained.study.dataset.model_copy(
        update={"sha256": dataset.sha256, "classes": dataset.classes, "source": hostile}
    )
    study: Study = trained.study.model_copy(update={"dataset": identity})
    catalogue.register(store, study, dataset, 40)
    publish(store, study, replace(trained.analysis, study=study, dataset=dataset))
    shown = show()
    path = f"/api/v1/studies/{study.id}"
    answers = [shown.client.get(path + what) for what in ("", "/scores?label=0", "/events?x=1")[:2]]
    for each in answers:
        assert hostile in each.text
        assert each.headers["content-type"] == "application/json"
        assert each.headers["x-content-type-options"] == "nosniff"


def test_what_is_kept_is_bounded() -> None:
    kept = ByteCache[bytes](10, len)
    for name in "abc":
        kept.put(name, b"1234")
        kept.get("a")
    assert [kept.get(name) for name in "abc"] == [b"1234", None, b"1234"]
    kept.put("large", b"x" * 11)
    assert kept.get("large") is None
    kept.put("a", b"x" * 10)
    assert [kept.get(name) for name in "abc"] == [b"x" * 10, None, None]


def test_columns_of_another_version_do_no_harm(show: Show, store: FilesStore) -> None:
    shown = show()
    buffer = io.BytesIO()
    pq.write_table(pa.table({"index": [0, 1]}), buffer)
    reports.write(store, shown.study, {"scores.parquet": buffer.getvalue()}, 40)
    shown.dashboard.monitor.wake()
    shown.dashboard.monitor.look()
    assert shown.get("/scores", sort="memorization").status_code == 409
    assert shown.get("/scores", label=1).status_code == 409


def test_a_report_published_since_the_last_look_is_read(
    show: Show, store: FilesStore, trained: Trained
) -> None:
    """Its files do not agree with the manifest that was view, but with the one that is there."""
    shown = show(dashboard_look=1000.0)
    fewer = replace(trained.analysis, trials=trained.trials.taken(np.arange(30)))
    shuffled = replace(fewer.scores, memorization=fewer.scores.memorization[::-1])
    publish(store, trained.study, replace(fewer, scores=shuffled))
    found = shown.get("/scores", limit=300).json()
    assert found["models"] == 30
    assert [row["memorization"] for row in found["items"]] == shuffled.memorization.tolist()
    assert shown.get("/scores", limit=300).json() == found
