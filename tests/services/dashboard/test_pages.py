"""The pages as a browser without scripts gets them: what they say, escape and allow."""

import re
import subprocess
import sys
import time
from typing import Any

import pytest

from memtail_core.catalogue import failures, reports
from memtail_core.catalogue.failures import Failure
from memtail_core.data import Dataset
from memtail_core.store import FilesStore
from memtail_core.study import ArmsTable, Study
from services.dashboard import static_files
from services.last_errors import LastError
from services.leases import Lease
from services.presence import Presence
from tests.conftest import Trained
from tests.services.dashboard.still import Parsed, client, parsed, viewed

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"


PATHS = ["/", "/workers", "/submit", "/about", "/studies/{id}", "/studies/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_script_or_style_of_its_own_and_says_so(
    folder: FilesStore, prepared: tuple[Study, Dataset], path: str
) -> None:
    study = prepared[0]
    answer = client(folder, viewed(study)).get(path.format(id=study.id))
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
        when=1e12,
        traceback=HOSTILE,
    )
    failures.record(folder, study.id, failure.model_copy(update={"shard": "0000000-0000005"}))
    key = f"{study.prefix}failures/0000000-0000005/1-last.json"
    folder.put(key, failure.model_dump_json().encode())
    lease = Lease(study=HOSTILE, shard=HOSTILE, worker=HOSTILE, attempt=1, task="", since=0.0)
    worker = Presence(
        name=HOSTILE, role="worker", host=HOSTILE, device=HOSTILE, store=HOSTILE, since=1e12
    )
    manifest = reports.Manifest.model_construct(trials=5, files={HOSTILE: "0" * 64})
    found = client(
        folder,
        viewed(study, at_work=(lease,), n_failures=1, report=manifest),
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
        (
            "waiting",
            {"workers": 0},
            "Waiting for a CPU worker; none is running.",
            ["cancel", "grow"],
        ),
        (
            "waiting",
            {},
            "100 of 400 models are trained; waiting for a free worker.",
            ["cancel", "grow"],
        ),
        ("waiting", {"stored": 0}, "Waiting for a free worker.", ["cancel", "grow"]),
        ("stopped", {}, "an error in the code, recipe or data of the study.", ["retry", "grow"]),
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
    found = viewed(study, state, **more)
    page = parsed(client(folder, found), f"/studies/{study.id}")
    assert said in page.text
    assert page.buttons() == buttons
    bars = [attributes for tag, attributes in page.tags if tag == "progress"]
    stored = found.status.stored
    assert [(bar["value"], bar["max"]) for bar in bars] == [(str(stored), "400")]
    listed = parsed(client(folder, found), "/")
    assert state in listed.text
    assert f"{stored} of 400 models" in listed.text

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
    found = client(folder, viewed(study))
    assert parsed(found, f"/studies/{study.id}").buttons() == ["cancel"]


def test_without_a_script_the_page_comes_again_by_itself(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    found = client(folder, viewed(prepared[0]))
    for path in ("/", "/workers", f"/studies/{prepared[0].id}"):
        html = found.get(path).text
        assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', html)
        assert 'data-events="/api/v1/' in html
    assert "refresh" not in found.get("/submit").text, "what is typed would be lost"


def test_the_list_can_be_filtered(folder: FilesStore, prepared: tuple[Study, Dataset]) -> None:
    study = prepared[0]
    states = ["running", "waiting", "complete", "complete", "failed", "cancelled"]
    every = [
        viewed(study.model_copy(update={"name": f"name-{number}"}), state)
        for number, state in enumerate(states)
    ]
    found = client(folder, *every)
    assert parsed(found, "/").text.count("of 400 models") == 6
    assert "2 of 6 studies are under way" in parsed(found, "/").text
    assert parsed(found, "/?state=complete").text.count("of 400 models") == 2
    assert parsed(found, "/?name=NAME-3").text.count("of 400 models") == 1
    assert parsed(found, "/?name=sklearn+name-1&state=waiting").text.count("of 400 models") == 1
    assert "No study matches the filter." in parsed(found, "/?name=name-1&state=failed").text


def test_an_empty_store_says_how_to_begin(folder: FilesStore) -> None:
    assert "memtail submit digits" in parsed(client(folder), "/").text
    alone = parsed(client(folder, cluster=False), "/").text
    assert "memtail run digits" in alone
    assert "memtail submit" not in alone


def test_a_study_that_is_not_there(folder: FilesStore) -> None:
    page = parsed(client(folder), "/studies/%3Cb%3E", status=404)
    assert "The store has no study <b>." in page.text


def test_workers_and_what_they_do(folder: FilesStore, prepared: tuple[Study, Dataset]) -> None:
    study, now = prepared[0], time.time()
    lease = Lease(
        study=study.id, shard="0000010-0000015", worker="one", attempt=2, task="", since=now - 300
    )
    workers = tuple(
        Presence(name=name, role="worker", host="h", device="cpu", store=store, since=now - 7200)
        for name, store in (("one", folder.location), ("two", "s3://elsewhere"))
    )
    found = client(
        folder, viewed(study, at_work=(lease,)), workers=workers, queues={"cpu": 1, "cuda": 0}
    )
    text = parsed(found, "/workers").text
    assert "2 workers are running, 1 of them is training." in text
    assert f"{study.id}, models 10–14, for 5 min" in text
    assert "for 2.0 h" in text
    assert "No aggregator is running" in text
    assert "Some workers use the store s3://elsewhere" in text
    assert "one 10–14 for 5 min 2" in parsed(found, f"/studies/{study.id}").text


def test_what_went_wrong_at_a_worker_is_told_with_the_study_and_with_the_worker(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    study, when = prepared[0], time.time() - 120
    errors = (
        LastError(worker="one", study=study.id, reason=HOSTILE, when=when, is_aside=True),
        LastError(worker="two", study=study.id, reason="no memory", when=when, in_a_row=3),
    )
    workers = tuple(
        Presence(name=name, role="worker", host="h", device="cpu", store="s", since=when)
        for name in ("one", "two", "three")
    )
    found = client(folder, viewed(study, "waiting", errors=errors), workers=workers)
    of_study, of_workers = (
        parsed(found, path).text for path in (f"/studies/{study.id}", "/workers")
    )
    assert f"one leaves it to other workers: {HOSTILE} (2 min ago)" in of_study
    assert "two failed 3 times in a row: no memory (2 min ago)" in of_study
    assert f"{study.id}: leaves it to other workers: {HOSTILE} (2 min ago)" in of_workers
    assert f"{study.id}: failed 3 times in a row: no memory (2 min ago)" in of_workers
    assert of_workers.count(study.id) == 2
    complete = client(folder, viewed(study, "complete", errors=errors))
    assert "no memory" not in parsed(complete, f"/studies/{study.id}").text


def test_trouble_is_told_on_every_page_that_lives(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    found = client(folder, viewed(prepared[0]), trouble="cannot reach Redis at redis://h:1/0")
    for path in ("/", "/workers", f"/studies/{prepared[0].id}"):
        assert (
            "cannot reach Redis at redis://h:1/0. This page shows the last"
            in parsed(found, path).text
        )


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
    failures.record(folder, study.id, failure)
    text = parsed(
        client(folder, viewed(study, "stopped", n_failures=1)), f"/studies/{study.id}"
    ).text
    assert "ValueError: no such layer" in text
    assert "models 10–14, attempt 2, on cpu-1@h, 2 min ago" in text
    assert 'File "mine.py", line 3' in text


def test_static_files_are_kept_for_good_and_nothing_else_is_served(folder: FilesStore) -> None:
    found = client(folder)
    answer = found.get(f"{static_files.PREFIX}/dashboard.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert "immutable" not in found.get("/static/0/dashboard.css").headers["cache-control"]
    for name in ("pages.py", "..%2Fpages.py", "%2e%2e/pages.py", ""):
        assert found.get(f"{static_files.PREFIX}/{name}").status_code == 404


LOOKS_UP = """
import sys
from services.dashboard import app
app._import()
before = set(sys.modules)
from memtail_core import catalogue, open_store
from memtail_core.analysis.loaded_study import LoadedStudy
from memtail_core.analysis.pair_queries import PairQuery
store = open_store(sys.argv[1])
material = LoadedStudy.load(store, catalogue.find(store, sys.argv[2]))
material.scores, material.evidence, PairQuery
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""


@pytest.mark.slow
def test_the_modules_that_results_need_are_imported_beforehand(trained: Trained) -> None:
    command = [sys.executable, "-c", LOOKS_UP, str(trained.folder), trained.study.id]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    late = set(ran.stdout.split())
    assert not late & {"torch", "scipy", "sklearn", "pyarrow", "pandas", "numpy"}
