"""An experiment on the cluster: the same shards, the same bits, the section in the report."""

import json
from pathlib import Path

from memtail_core import catalogue
from memtail_core.running import execution, loading
from memtail_core.store import FilesStore
from tests.services.cluster import Cluster


def test_removal_is_trained_by_the_workers(cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker()
    cluster.aggregator()
    cluster.memtail("submit", "small.toml", "--stack", "3", "--trials", "42", "--wait")
    command = ("removal", "small", "--thresholds", "0.25", "--repeats", "2", "--json")
    found = json.loads(cluster.memtail(*command, "--submit").stdout)
    assert found["repeats"] == 2

    store = cluster.store
    study = catalogue.read(store, found["trained"])
    arms, dataset = catalogue.load_arms(store, study), catalogue.load_dataset(store, study)
    assert arms is not None
    here = FilesStore(tmp_path / "here")
    catalogue.register_arms(here, study, arms)
    expected = execution.run(study, here, dataset, 2 * len(arms), workers=1)
    by_workers, _ = loading.load(store, study)
    assert by_workers.test_correct.tobytes() == expected.test_correct.tobytes()
    assert by_workers.subset.tobytes() == expected.subset.tobytes()

    assert json.loads(cluster.memtail(*command).stdout)["cuts"] == found["cuts"], "not again"
    cluster.memtail("fetch", "small", "--output", "fetched")
    assert 'id="removal"' in (cluster.folder / "fetched" / "index.html").read_text()
    rows = json.loads(cluster.memtail("status", "--json").stdout)
    assert [row["state"] for row in rows if row["is_experiment"]] == ["complete"]
    assert "complete" in cluster.memtail("watch", study.id).stdout
