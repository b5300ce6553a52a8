"""The pages as a browser without scripts gets them: what they say, escape, allow and cost."""

import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from memtail_core import catalogue, failures, published
from memtail_core.data import Dataset
from memtail_core.failures import Failure
from memtail_core.preparation import prepare
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import ArmsTable, Spec, Study, shipped
from services.dashboard import published_report, static_files, study_file, throughput
from services.dashboard.app import create_app
from services.dashboard.dashboard import Dashboard
from services.dashboard.detail import _Kept
from services.dashboard.observer import Observer, Snapshot, StudySeen
from services.leases import Lease
from services.pace import KEPT, Stored
from services.presence import Presence
from services.submission import Cluster
from tests.conftest import digits

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
TOKEN = "a-token-of-the-tests"


class Still(Observer):
    """Looks at nothing: what is seen is given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def start(self) -> None: ...

    def close(self) -> None: ...

    def latest(self) -> Snapshot:
        return self.snapshot


@pytest.fixture(scope="module")
def prepared() -> tuple[Study, Dataset]:
    study, dataset = prepare(digits())
    return study, dataset


@pytest.fixture
def folder(prepared: tuple[Study, Dataset], tmp_path: Path) -> FilesStore:
    store = FilesStore(tmp_path / "runs")
    catalogue.register(store, *prepared, 400)
    return store


def seen(study: Study, state: str = "running", **more: Any) -> StudySeen:
    found = StudySeen(
        study=study,
        state=state,
        models=400,
        stored=100,
        running=10,
        waiting=290,
        failed=0,
        device="cpu",
        workers=1,
        models_per_hour=1234.0 if state == "running" else None,
        seconds_left=875.0 if state == "running" else None,
        shard_seconds=3.0,
        accuracy={"held_in": 0.991, "held_out": 0.853, "test": None},
        at_work=(),
        n_failures=0,
        report=None,
        is_experiment=False,
        updated=1.0,
    )
    return replace(found, **more)


def client(store: FilesStore, *studies: StudySeen, **more: Any) -> TestClient:
    """Of a dashboard that sees these studies; ``token``, ``cluster`` and what a snapshot has."""
    token, has_cluster = more.pop("token", TOKEN), more.pop("cluster", True)
    settings = Settings(_env_file=None, dashboard_token=SecretStr(token) if token else None)
    cluster = Cluster(store, None, settings) if has_cluster else None  # type: ignore[arg-type]
    snapshot = Snapshot(when=time.time(), number=1, studies=studies, **more)
    dashboard = Dashboard(store, cluster, settings, Still(snapshot))
    return TestClient(create_app(dashboard), base_url="http://127.0.0.1")


class Parsed(HTMLParser):
    """Tags with their attributes, and the text that is seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " * (tag in ("td", "dt", "dd", "div", "li", "p", "small"))

    def handle_data(self, data: str) -> None:
        self.text += data

    def buttons(self) -> list[str]:
        return [str(a["data-action"]) for _, a in self.tags if "data-action" in a]


def parsed(client: TestClient, path: str, status: int = 200) -> Parsed:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Parsed(answer.text)


PATHS = ["/", "/workers", "/submit", "/about", "/studies/{id}", "/studies/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_script_or_style_of_its_own_and_says_so(
    folder: FilesStore, prepared: tuple[Study, Dataset], path: str
) -> None:
    study = prepared[0]
    answer = client(folder, seen(study)).get(path.format(id=study.id))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for tag, attributes in Parsed(answer.text).tags:
        assert tag != "style"
        assert tag != "script" or str(attributes["src"]).startswith(static_files.PREFIX)
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        for name in ("src", "href", "action"):
            assert not str(attributes.get(name, "/")).startswith(("http:", "https:", "//"))


def test_what_others_wrote_is_only_text(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    plain = prepared[0]
    identity = plain.dataset.model_copy(update={"source": HOSTILE, "classes": (HOSTILE,) * 10})
    training = {**plain.training, HOSTILE: HOSTILE}
    study = plain.model_copy(update={"dataset": identity, "training": training})
    failure = Failure(
        shard=HOSTILE,
        attempt=1,
        kind="last",
        reason=HOSTILE,
        worker=HOSTILE,
        when=1e300,
        traceback=HOSTILE,
    )
    failures.record(folder, study, failure.model_copy(update={"shard": "0000000-0000005"}))
    key = f"{study.prefix}failures/0000000-0000005/1-last.json"
    folder.put(key, failure.model_dump_json().encode())
    lease = Lease(study=HOSTILE, shard=HOSTILE, worker=HOSTILE, attempt=1, task="", since=-1e300)
    worker = Presence(
        name=HOSTILE, role="worker", host=HOSTILE, device=HOSTILE, store=HOSTILE, since=1e300
    )
    manifest = published.Manifest(trials=5, files={HOSTILE: "0" * 64})
    found = client(
        folder,
        seen(study, at_work=(lease,), n_failures=1, report=manifest),
        workers=(worker,),
        aggregators=(worker,),
        queues={HOSTILE: 1},
        trouble=HOSTILE,
        damaged=(HOSTILE,),
    )
    for path in ("/", f"/studies/{study.id}", "/workers", "/submit", f"/?name={HOSTILE}&state=<b>"):
        page = parsed(found, path)
        assert "alert(1)" in page.text
        assert all("src" in attributes for tag, attributes in page.tags if tag == "script")
        assert "img" not in {tag for tag, _ in page.tags}
        assert not {name for _, attributes in page.tags for name in attributes if name[:2] == "on"}


@pytest.mark.parametrize(
    ("state", "more", "said", "buttons"),
    [
        ("running", {}, "100 of 400 models are trained, 15 min left.", ["cancel", "grow"]),
        ("waiting", {"workers": 0}, "with a CPU; none is there.", ["cancel", "grow"]),
        ("waiting", {}, "Waits for a worker that is free.", ["cancel", "grow"]),
        ("stopped", {}, "its own code, recipe or data failed.", ["retry", "grow"]),
        ("failed", {"failed": 20}, "20 models failed too often", ["retry", "grow"]),
        ("cancelled", {}, "Cancelled with 100 of 400", ["submit", "grow"]),
        ("complete", {"stored": 400}, "Complete: 400 models are trained.", ["grow"]),
        ("unfinished", {"device": None}, "100 of 400 models are stored.", ["submit", "grow"]),
    ],
)
def test_each_state_says_what_it_is_and_what_can_be_done(
    folder: FilesStore,
    prepared: tuple[Study, Dataset],
    state: str,
    more: dict[str, Any],
    said: str,
    buttons: list[str],
) -> None:
    study = prepared[0]
    found = seen(study, state, **more)
    page = parsed(client(folder, found), f"/studies/{study.id}")
    assert said in page.text
    assert page.buttons() == buttons
    bars = [attributes for tag, attributes in page.tags if tag == "progress"]
    assert [(bar["value"], bar["max"]) for bar in bars] == [(str(found.stored), "400")]
    listed = parsed(client(folder, found), "/")
    assert state in listed.text
    assert f"{found.stored} of 400 models" in listed.text

    for less in ({"token": None}, {"cluster": False}):
        read_only = parsed(client(folder, found, **less), f"/studies/{study.id}")
        assert said in read_only.text
        assert read_only.buttons() == []
        assert "dialog" not in {tag for tag, _ in read_only.tags}


def test_an_experiment_is_not_grown_from_here(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    arms = ArmsTable(count=2, sha256="0" * 64)
    study = prepared[0].model_copy(update={"subsets": arms})
    found = client(folder, seen(study, is_experiment=True))
    assert parsed(found, f"/studies/{study.id}").buttons() == ["cancel"]


def test_without_a_script_the_page_comes_again_by_itself(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    found = client(folder, seen(prepared[0]))
    for path in ("/", "/workers", f"/studies/{prepared[0].id}"):
        html = found.get(path).text
        assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', html)
        assert 'data-events="/api/v1/' in html
    assert "refresh" not in found.get("/submit").text, "what is typed would be lost"


def test_the_list_can_be_filtered(folder: FilesStore, prepared: tuple[Study, Dataset]) -> None:
    study = prepared[0]
    states = ["running", "waiting", "complete", "complete", "failed", "cancelled"]
    every = [
        seen(study.model_copy(update={"name": f"name-{number}"}), state)
        for number, state in enumerate(states)
    ]
    found = client(folder, *every)
    assert parsed(found, "/").text.count("of 400 models") == 6
    assert "2 of 6 studies are under way" in parsed(found, "/").text
    assert parsed(found, "/?state=complete").text.count("of 400 models") == 2
    assert parsed(found, "/?name=NAME-3").text.count("of 400 models") == 1
    assert parsed(found, "/?name=sklearn+name-1&state=waiting").text.count("of 400 models") == 1
    assert "No study matches." in parsed(found, "/?name=name-1&state=failed").text


def test_an_empty_store_says_how_to_begin(folder: FilesStore) -> None:
    assert "memtail submit digits" in parsed(client(folder), "/").text
    alone = parsed(client(folder, cluster=False), "/").text
    assert "memtail run digits" in alone
    assert "memtail submit" not in alone


def test_a_study_that_is_not_there(folder: FilesStore) -> None:
    page = parsed(client(folder), "/studies/%3Cb%3E", status=404)
    assert "There is no study <b> in the store." in page.text


def test_workers_and_what_they_do(folder: FilesStore, prepared: tuple[Study, Dataset]) -> None:
    study, now = prepared[0], time.time()
    lease = Lease(
        study=study.id, shard="0000010-0000015", worker="one", attempt=2, task="", since=now - 60
    )
    workers = tuple(
        Presence(name=name, role="worker", host="h", device="cpu", store=store, since=now - 7200)
        for name, store in (("one", folder.location), ("two", "s3://elsewhere"))
    )
    found = client(
        folder, seen(study, at_work=(lease,)), workers=workers, queues={"cpu": 1, "cuda": 0}
    )
    text = parsed(found, "/workers").text
    assert "2 workers are there, 1 of them trains." in text
    assert f"{study.id}, models 10–14, for 60 s" in text
    assert "for 2.0 h" in text
    assert "No aggregator is there" in text
    assert "Workers keep studies in s3://elsewhere" in text
    assert "one 10–14 for 60 s 2" in parsed(found, f"/studies/{study.id}").text


def test_trouble_is_told_on_every_page_that_lives(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    found = client(folder, seen(prepared[0]), trouble="cannot reach Redis at redis://h:1/0")
    for path in ("/", "/workers", f"/studies/{prepared[0].id}"):
        assert "cannot reach Redis at redis://h:1/0. Shown is" in parsed(found, path).text


def test_failures_are_shown_with_their_tracebacks(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    study = prepared[0]
    failure = Failure(
        shard="0000010-0000015",
        attempt=2,
        kind="study",
        reason="ValueError: no such layer",
        worker="cpu-1@h",
        when=time.time() - 120,
        traceback='File "mine.py", line 3\n',
    )
    failures.record(folder, study, failure)
    text = parsed(client(folder, seen(study, "stopped", n_failures=1)), f"/studies/{study.id}").text
    assert "ValueError: no such layer" in text
    assert "models 10–14, attempt 2, on cpu-1@h, 2 min ago" in text
    assert 'File "mine.py", line 3' in text


# --- the published report ------------------------------------------------------------------------


@pytest.fixture
def reported(folder: FilesStore, prepared: tuple[Study, Dataset]) -> Iterator[TestClient]:
    study = prepared[0]
    summary = {
        "memorization": {"memorized": 38, "scored": 300},
        "pairs": {"pairs": 17},
        "accuracy": {"held_in": {"mean": 1.0}, "held_out": {"mean": 0.9}, "test": {"mean": None}},
    }
    files = {
        "index.html": b"<script>parent.fetch('/api/v1/studies')</script>",
        "summary.json": json.dumps(summary).encode(),
        "figures/pairs.svg": b"<svg/>",
    }
    published.write(folder, study, files, 400)
    manifest = published.whole(folder, study)
    yield client(folder, seen(study, "complete", stored=400, report=manifest))


def test_a_report_is_locked_in(reported: TestClient, prepared: tuple[Study, Dataset]) -> None:
    path = f"/studies/{prepared[0].id}/report/"
    answer = reported.get(path)
    assert answer.content.startswith(b"<script>")
    directives = dict(
        part.strip().partition(" ")[::2]
        for part in answer.headers["content-security-policy"].split(";")
    )
    assert set(directives["sandbox"].split()) == {
        "allow-scripts",
        "allow-downloads",
        "allow-popups",
    }
    assert directives["default-src"] == "'none'"
    assert not {"connect-src", "frame-src", "worker-src"} & directives.keys()
    assert directives["form-action"] == "'none'"
    assert answer.headers["content-security-policy"] == published_report.CSP
    again = reported.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_of_a_report_are_saved_under_the_names_of_its_manifest(
    reported: TestClient, prepared: tuple[Study, Dataset]
) -> None:
    base = f"/studies/{prepared[0].id}/report"
    answer = reported.get(f"{base}/figures/pairs.svg")
    assert answer.content == b"<svg/>"
    assert answer.headers["content-disposition"].startswith("attachment;")
    for name in ("manifest.json", "../study.json", "..%2Fstudy.json", "%2e%2e/goal.json", "none"):
        assert reported.get(f"{base}/{name}").status_code == 404, name
    assert reported.get("/studies/nothing/report/").status_code == 404


def test_what_the_report_found_opens_the_page(
    reported: TestClient, prepared: tuple[Study, Dataset]
) -> None:
    page = parsed(reported, f"/studies/{prepared[0].id}")
    assert "38 of 300 training examples (12.7%) are memorized." in page.text
    assert "held out 90.0%" in page.text
    links = [attributes.get("href") for tag, attributes in page.tags if tag == "a"]
    assert f"/studies/{prepared[0].id}/report/figures/pairs.svg" in links


@pytest.mark.parametrize("summary", [b"{", b"[]", b'{"memorization": 1}', b'{"accuracy": []}'])
def test_a_summary_of_another_kind_hides_nothing_else(
    folder: FilesStore, prepared: tuple[Study, Dataset], summary: bytes
) -> None:
    study = prepared[0]
    published.write(folder, study, {"summary.json": summary}, 400)
    manifest = published.whole(folder, study)
    found = client(folder, seen(study, "complete", stored=400, report=manifest))
    assert "Complete: 400 models" in parsed(found, f"/studies/{study.id}").text


# --- styles and scripts --------------------------------------------------------------------------


def test_static_files_are_kept_for_good_and_nothing_else_is_served(folder: FilesStore) -> None:
    found = client(folder)
    answer = found.get(f"{static_files.PREFIX}/dashboard.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert "immutable" not in found.get("/static/0/dashboard.css").headers["cache-control"]
    for name in ("pages.py", "..%2Fpages.py", "%2e%2e/pages.py", ""):
        assert found.get(f"{static_files.PREFIX}/{name}").status_code == 404


# --- the form ------------------------------------------------------------------------------------


def read(client: TestClient, text: str, **more: Any) -> Any:
    return client.post("/submit/read", json={"text": text, **more})


def test_a_study_file_becomes_what_the_api_takes(folder: FilesStore) -> None:
    text = '[study]\nseed = 9223372036854775807\n[dataset]\nsource = "sklearn:digits"\n'
    answer = read(client(folder), text, trials=7, device="cuda").json()
    assert json.loads(answer["body"]) == {
        "study": {"seed": 9223372036854775807},
        "dataset": {"source": "sklearn:digits"},
        "trials": 7,
        "device": "cuda",
    }
    assert "7 models" in answer["said"]
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
        "{" * 100_000,
        '{"dataset": ' + "[" * 100_000,
        "a = " + "[" * 100_000,
        '{"dataset": {"source": "\\ud800"}}',
        '{"dataset": {"source": "x", "n": ' + "9" * 5000 + "}}",
        '{"dataset": 1}',
        "{}",
    ],
    ids=range(11),
)
def test_what_is_no_study_file_is_told_in_one_line(folder: FilesStore, text: str) -> None:
    answer = read(client(folder), text)
    assert answer.status_code == 422
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
    found = client(folder, seen(study))
    assert study.dataset.sha256 in parsed(found, f"/submit?study={study.id}").text
    body = json.loads(read(found, study_file.like(study)).json()["body"])
    assert prepare(Spec.parse(body), dataset).study.id == study.id


# --- what is kept, and throughput ----------------------------------------------------------------


def test_one_thread_makes_what_many_ask_for() -> None:
    kept, made = _Kept(), []

    def make() -> int:
        made.append(1)
        time.sleep(0.05)
        return len(made)

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("a", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8
    assert kept.get("b", make) == 1, "it took long: not again at once"
    deadline = time.monotonic() + 10
    while kept.get("b", make) == 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert kept.get("b", make) == 2


def stored(whens: list[float], seconds: float = 1.0, models: int = 10) -> list[Stored]:
    every = sorted(whens, reverse=True)
    return [
        Stored(worker="w", when=when, seconds=seconds, models=models, accuracy={}) for when in every
    ]


def test_a_steady_pace_is_a_level_line() -> None:
    found = throughput.rates(stored([100.0 * number for number in range(1, 61)], seconds=100.0))
    assert found is not None
    assert found.width == 300
    assert found.models_per_hour == (360.0,) * 20
    assert found.shards == 60


@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=KEPT),
    st.floats(0.01, 1e3),
)
def test_bars_count_what_was_stored_in_their_time(whens: list[float], seconds: float) -> None:
    found = throughput.rates(stored(whens, seconds))
    if found is None:
        return
    last, n, width = max(whens), len(found.models_per_hour), found.width
    assert width >= 2 * seconds
    known_from = min(whens) - (seconds if len(whens) < KEPT else 0)
    assert last - n * width >= known_from - 1e-6, "no interval reaches into what is not known"
    assert last - (n + 1) * width < known_from + 1e-6, "none that is known is left out"
    for number, rate in enumerate(found.models_per_hour):
        begin, end = last - (n - number) * width, last - (n - number - 1) * width
        inside = sum(begin + 1e-6 < when <= end - 1e-6 for when in whens)
        around = sum(begin - 1e-6 < when <= end + 1e-6 for when in whens)
        assert 10 * inside <= rate * width / 3600 + 1e-6
        assert rate * width / 3600 <= 10 * around + 1e-6


def test_the_chart_is_drawn_without_styles_in_the_colour_of_the_text(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    recent = tuple(stored([10.0 * number for number in range(40)], seconds=10.0))
    study = prepared[0]
    html = client(folder, seen(study, recent=recent)).get(f"/studies/{study.id}").text
    svg = html[html.index("<svg") : html.index("</svg>")]
    assert "currentColor" in svg
    assert "style=" not in svg
    assert "Models an hour, in intervals of 30 seconds" in svg
    assert "Models an hour over the last 39 shards" in Parsed(html).text
