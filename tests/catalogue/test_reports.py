from pathlib import Path

import pytest

from memtail_core.catalogue import reports
from memtail_core.store import FilesStore
from tests.conftest import Trained

FILES = {"scores.parquet": b"scores", "figures/a.svg": b"<svg/>", reports.PAGE: b"<html>"}


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    return FilesStore(tmp_path)


def test_what_was_written_is_fetched_whole(store: FilesStore, trained: Trained) -> None:
    study = trained.study
    assert reports.whole(store, study) is None
    assert reports.fetch(store, study) is None
    reports.write(store, study, {**FILES, "old.svg": b""}, 10)
    reports.write(store, study, FILES, 20)
    manifest = reports.whole(store, study)
    assert manifest
    assert manifest.trials == 20
    assert reports.fetch(store, study) == FILES
    assert not store.exists(f"{study.prefix}report/old.svg"), "of an earlier report"
    assert store.get(reports.page_key(study)) == b"<html>"


@pytest.mark.parametrize("name", FILES)
def test_a_report_of_two_publishers_is_not_whole(
    store: FilesStore, trained: Trained, name: str
) -> None:
    reports.write(store, trained.study, FILES, 20)
    store.put(f"{trained.study.prefix}report/{name}", b"another's")
    assert reports.whole(store, trained.study) is None
    assert reports.fetch(store, trained.study) is None
    store.delete(f"{trained.study.prefix}report/{name}")
    assert reports.whole(store, trained.study) is None
    assert reports.fetch(store, trained.study) is None


def test_a_manifest_that_is_none_is_no_report(store: FilesStore, trained: Trained) -> None:
    reports.write(store, trained.study, FILES, 20)
    store.put(f"{trained.study.prefix}report/manifest.json", b"{")
    assert reports.whole(store, trained.study) is None
    assert reports.fetch(store, trained.study) is None
