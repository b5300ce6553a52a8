"""What is asked of a store with many studies is proportional to what changed, not to all of it.

Situations: 2,000 studies took the dashboard 138 s at first and 38% of a core after that, and
``submit`` of one more 98 s.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from cli.status import _rows
from memtail_core import catalogue
from memtail_core.catalogue import Demand, Progress, reports
from memtail_core.errors import StudyError
from memtail_core.plan.shards import Shard
from memtail_core.store import Contents, ListedStore
from services import orders
from services.aggregator.finder import Finder
from services.dashboard.monitor import Monitor
from tests.catalogue.many import filled

N = 300


def pages(n_objects: int) -> int:
    return -(-n_objects // 1000)


def test_the_first_snapshot_reads_each_object_once_and_the_next_nothing() -> None:
    store, _ = filled(N)
    monitor = Monitor(store)
    now = monitor.look()
    assert {view.state for view in now.studies} == {"complete"}
    assert all(view.report and view.report.trials == 20 for view in now.studies)
    spent = store.spent()
    assert spent["list"] <= 1 + pages(len(store.objects))
    assert spent["get"] <= 2 * N + 20, "equal goals and orders are read once"
    assert not spent["head"]
    for _ in range(3):
        monitor.wake()
        assert len(monitor.look().studies) == N
    spent = store.spent()
    assert set(spent) == {"list"}, "what was read before is not read again"
    assert spent["list"] <= 3 * (1 + pages(len(store.objects)))


def test_a_changed_study_costs_its_own_requests_alone() -> None:
    costs = []
    for n in (30, N):
        store, studies = filled(n)
        monitor = Monitor(store)
        monitor.look()
        store.put(f"{studies[0].prefix}goal.json", b'{"trials": 100}')
        monitor._reader._make_due({studies[0].id})
        store.spent()
        (changed,) = [view for view in monitor.look().studies if view.state != "complete"]
        assert (changed.study.id, changed.status.models) == (studies[0].id, 100)
        costs.append(store.spent())
    assert sum(costs[1].values()) == sum(costs[0].values()) <= 3


def test_folders_that_are_no_studies_do_not_cause_listings_of_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from services.dashboard import snapshot_reader

    monkeypatch.setattr(snapshot_reader, "_LATELY", 0.0)
    store, _ = filled(3)
    for n in range(50):
        store.put(f"studies/notes{n}/text", b"")
    monitor = Monitor(store)
    monitor.look()
    store.spent()
    monitor.look()
    assert store.spent() == {"list": 1}


def test_status_of_all_is_one_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From optuna/optuna#3108: 30 s for 100 studies, since each cost several queries."""
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path))
    store, _ = filled(N)
    rows = _rows(store, lambda store, study: None)
    assert [(row["state"], row["stored"]) for row in rows] == [("complete", 20)] * N
    spent = store.spent()
    assert spent["list"] == pages(len(store.objects))
    assert spent["get"] <= N + 20
    assert not spent["head"]


def test_the_aggregator_finds_what_is_not_settled_by_a_listing() -> None:
    store, studies = filled(N)
    finder = Finder(store)
    assert finder.every() == []
    assert not store.spent()["head"]
    assert finder.every() == []
    assert store.spent() == {"list": pages(len(store.objects))}
    store.put(f"{studies[7].prefix}goal.json", b'{"trials": 100}')
    store.delete(f"{studies[8].prefix}report/summary.json")  # a publisher was killed
    store.delete(Shard(0, 5).key(studies[9]))
    assert set(map(str, (study.id for study in finder.every()))) == {
        study.id for study in studies[7:10]
    }
    store.spent()
    assert finder.among([studies[0].id]) == []
    assert sum(store.spent().values()) <= 1


@pytest.mark.parametrize("is_new", [True, False])
def test_opening_one_study_does_not_look_at_the_others(is_new: bool) -> None:
    costs = []
    for n in (1, N):
        store, studies = filled(n)
        study = studies[0].model_copy(update={"seed": 99}) if is_new else studies[0]
        assert catalogue.of_same_name(store, study) == (studies[0] if is_new else None)
        assert catalogue.is_known(store, study.id) is not is_new
        for name in (studies[0].id, studies[0].id[:-3], studies[0].name):
            assert catalogue.find(store, name) == studies[0]
        costs.append(sum(store.spent().values()))
    assert costs[0] == costs[1]


def test_a_name_of_very_many_studies_is_refused_without_reading_them() -> None:
    store, _ = filled(N)
    with pytest.raises(StudyError, match=r"'s1' could be s1-|give more of the id"):
        catalogue.find(store, "s")
    assert not store.spent()["get"]
    with pytest.raises(StudyError, match=r"holds no study 'x': it has .* and 295 more"):
        catalogue.find(store, "x")


def test_a_worker_asks_nothing_about_stored_shards() -> None:
    store, (study,) = filled(1, n_shards=5000)
    assert Demand.of(store, study).is_wanted(Shard(24_995, 25_000))
    assert sum(store.spent().values()) <= 3


def test_a_listing_answers_as_its_store_does() -> None:
    store, (study, _) = filled(2)
    listed = catalogue.listed.one(store, study.id, Contents())
    assert catalogue.read(listed, study.id) == study
    assert Progress.of(listed, study) == Progress.of(store, study)
    assert orders.read(listed, study) == orders.read(store, study)
    assert reports.whole(listed, study) == reports.whole(store, study) is not None
    assert list(listed.list(study.prefix)) == list(store.list(study.prefix))
    after = Shard(0, 5).key(study)
    assert list(listed.list(study.prefix, after)) == list(store.list(study.prefix, after))
    assert list(listed.folders(study.prefix)) == ["report", "shards"]
    assert list(listed.folders(study.prefix, "s")) == ["shards"]
    assert not listed.exists(f"{study.prefix}none")
    with pytest.raises(KeyError):
        listed.get(f"{study.prefix}none")


def test_an_object_that_is_replaced_after_the_listing_is_not_taken_for_the_one_before() -> None:
    store, _ = filled(0)
    store.put("studies/a/x", b"one")
    contents = Contents()
    listed = ListedStore(store, list(store.entries("")), contents)
    store.put("studies/a/x", b"two")
    assert listed.get("studies/a/x") == b"two"
    store.put("studies/b/x", b"one")
    assert ListedStore(store, list(store.entries("")), contents).get("studies/b/x") == b"one"


def test_the_next_status_reads_no_description_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path))
    store, studies = filled(N)
    rows = _rows(store, lambda store, study: None)
    store.spent()
    assert _rows(store, lambda store, study: None) == rows
    assert store.spent() == {"list": pages(len(store.objects))}
    store.put(f"{studies[3].prefix}goal.json", b'{"trials": 100}')
    assert [row["goal"] for row in _rows(store, lambda store, study: None)].count(100) == 1
    (file,) = (tmp_path / "listed").iterdir()
    file.write_bytes(file.read_bytes()[:-5000] + bytes(5000))  # damaged
    assert len(_rows(store, lambda store, study: None)) == N


def test_contents_are_bounded() -> None:
    contents = Contents(most=100)
    for n in range(50):
        contents.keep(b"%02d" % n * 10)
    assert contents._bytes <= 100
    assert contents.get("none") is None


def test_of_a_large_study_only_what_was_missing_is_listed_again() -> None:
    """One study of 100,000 shards took each look 100 requests; now those where shards arrive.

    From minio/minio#21621: listing a large folder reads a file for each object, and takes long.
    """
    store, (study,) = filled(1, n_shards=8000)
    absent = [Shard(5 * n, 5 * n + 5) for n in (0, 10, 11, 700, 4000, 7998, 7999)]
    for shard in absent:
        store.delete(shard.key(study))
    first = Progress.of(store, study)
    assert first.missing == tuple(absent)
    first = replace(first, listing=replace(first.listing, seconds=1000.0))  # a slow store
    store.spent()
    assert Progress.of(store, study, before=first) == first
    assert store.spent()["list"] <= 6
    for arrived in (absent[0], absent[3], absent[6]):
        store.put(arrived.key(study), b"")
    store.put(Shard(50_000, 50_005).key(study), b"")  # beyond the goal
    assert Progress.of(store, study, before=first) == Progress.of(store, study)


def test_a_large_study_is_listed_as_a_whole_now_and_then() -> None:
    store, (study,) = filled(1, n_shards=6000)
    first = Progress.of(store, study)
    store.delete(Shard(500, 505).key(study))  # a damaged one was set aside
    slow = replace(first, listing=replace(first.listing, seconds=1000.0))
    assert not Progress.of(store, study, before=slow).missing
    past = replace(first, listing=replace(first.listing, begun=-1e9, seconds=1.0))
    assert Progress.of(store, study, before=past).missing == (Shard(500, 505),)


def test_a_small_study_is_always_listed_as_a_whole() -> None:
    store, (study,) = filled(1, n_shards=50)
    first = Progress.of(store, study)
    slow = replace(first, listing=replace(first.listing, seconds=1000.0))
    store.delete(Shard(50, 55).key(study))
    assert Progress.of(store, study, before=slow).missing == (Shard(50, 55),)


def test_status_of_a_large_study_reads_some_of_its_shards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cli import status

    store, (study,) = filled(1, n_shards=6000)
    progress = Progress.of(store, study)
    store.spent()
    detail = status._detail(store, study, progress.stored)
    assert store.spent()["get"] <= 200
    assert len(detail["damaged"]) == 200, "the shards of this store are empty files"
    monkeypatch.setattr(status, "LARGE", 10_000)
    assert len(status._detail(store, study, progress.stored)["damaged"]) == 6000
