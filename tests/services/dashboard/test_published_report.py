"""The published report on the dashboard: sandboxed, and summarized on its study's page."""

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from memtail_core.catalogue import reports
from memtail_core.data import Dataset
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard import published_report
from tests.services.dashboard.still import client, parsed, viewed


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
    reports.write(folder, study, files, 400)
    manifest = reports.whole(folder, study)
    yield client(folder, viewed(study, "complete", stored=400, report=manifest))


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


def test_the_page_names_an_estimator_that_does_not_count(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    study = prepared[0]
    memorization = {"memorized": 38, "scored": 300, "estimator": "calibrated"}
    summary = {"memorization": memorization, "pairs": {"pairs": 17}, "accuracy": {}}
    reports.write(folder, study, {"summary.json": json.dumps(summary).encode()}, 400)
    manifest = reports.whole(folder, study)
    served = client(folder, viewed(study, "complete", stored=400, report=manifest))
    expected = "(12.7%) are memorized, by the calibrated estimator."
    assert expected in parsed(served, f"/studies/{study.id}").text


@pytest.mark.parametrize("summary", [b"{", b"[]", b'{"memorization": 1}', b'{"accuracy": []}'])
def test_a_summary_of_another_kind_hides_nothing_else(
    folder: FilesStore, prepared: tuple[Study, Dataset], summary: bytes
) -> None:
    study = prepared[0]
    reports.write(folder, study, {"summary.json": summary}, 400)
    manifest = reports.whole(folder, study)
    found = client(folder, viewed(study, "complete", stored=400, report=manifest))
    assert "Complete: 400 models" in parsed(found, f"/studies/{study.id}").text
