"""The commands of a cluster, as a user calls them and reads what they print."""

import json
import signal

import pytest

from memtail_core.catalogue import reports
from services import presence
from tests.services.cluster import Cluster

SMALL = ("small.toml", "--stack", "3", "--trials", "12")


@pytest.mark.smoke
def test_a_study_from_submission_to_report(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "fresh", True)
    plan = json.loads(cluster.memtail("submit", *SMALL, "--dry-run", "--json").stdout)
    assert (plan["models"], plan["shards"], plan["workers"], plan["enqueued"]) == (12, 4, 0, None)
    assert "holds no study" in cluster.memtail("status", code=0).stdout, "a dry run does nothing"

    said = cluster.memtail("submit", *SMALL).stdout
    study = cluster.study
    assert "12 models in 4 shards" in said
    assert "no worker is running yet" in said
    assert f"memtail watch  {study.id}" in said
    (row,) = json.loads(cluster.memtail("status", "--json").stdout)
    assert (row["state"], row["waiting"], row["running"], row["stored"]) == ("waiting", 12, 0, 0)
    assert "no report yet" in cluster.memtail("fetch", "small", code=2).stderr
    assert "no worker is running" in cluster.memtail("workers").stdout

    cluster.worker()
    cluster.aggregator()
    cluster.wait_until("a shard under way", cluster.leases)
    cluster.wait_until(
        "the aggregator is there", lambda: presence.running(cluster.client, "aggregator")
    )
    there = json.loads(cluster.memtail("workers", "--json").stdout)
    assert len(there["workers"]) == 1
    assert there["workers"][0]["device"] == "cpu"

    watched = json.loads(cluster.memtail("watch", "small", "--json").stdout)
    assert watched["state"] == "complete"
    assert watched["summary"]["trials"] == 12
    fetched = cluster.memtail("fetch", "small", "--output", "here").stdout
    assert "are memorized" in fetched
    assert "here/index.html" in fetched
    page = (cluster.folder / "here" / "index.html").read_bytes()
    assert page == cluster.store.get(reports.page_key(study))
    assert not (cluster.folder / "here" / "manifest.json").exists()
    assert "complete" in cluster.memtail("status", "small").stdout
    assert cluster.memtail("scores", "small").stdout.count("\n") == 401

    again = json.loads(cluster.memtail("submit", *SMALL, "--json").stdout)
    assert (again["stored"], again["shards"], again["enqueued"]) == (12, 0, 0)
    grown = cluster.memtail("submit", "small", "--stack", "3", "--trials", "18", "--wait").stdout
    assert "2 shards enqueued" in grown
    assert len(cluster.stored()) == 6


def test_submitting_again_enqueues_nothing_twice_while_an_aggregator_watches(
    cluster: Cluster,
) -> None:
    cluster.aggregator()
    cluster.wait_until(
        "it watches", lambda: json.loads(cluster.memtail("workers", "--json").stdout)["aggregators"]
    )
    first = json.loads(cluster.memtail("submit", *SMALL, "--json").stdout)
    assert first["enqueued"] == 4
    assert json.loads(cluster.memtail("submit", *SMALL, "--json").stdout)["enqueued"] == 0
    more = ("submit", "small.toml", "--stack", "3", "--trials", "15", "--json")
    assert json.loads(cluster.memtail(*more).stdout)["enqueued"] == 1


def test_doctor_checks_every_link(cluster: Cluster) -> None:
    assert "none: start some" in cluster.memtail("doctor", code=2).stdout
    cluster.aggregator()
    cluster.worker()
    cluster.wait_until(
        "both are there",
        lambda: all(json.loads(cluster.memtail("workers", "--json").stdout).values()),
    )
    checks = {c["what"]: c for c in json.loads(cluster.memtail("doctor", "--json").stdout)}
    assert {checks[what]["state"] for what in ("store", "broker", "workers", "aggregator")} == {
        "ok"
    }
    assert checks["workers"]["found"] == "1 × cpu"
    cluster.faults.refuse()
    said = cluster.memtail("doctor", code=2).stdout
    assert "cannot reach the store" in said
    cluster.faults.heal()
    cluster.redis.stop()
    assert "cannot reach Redis" in cluster.memtail("doctor", code=2).stdout


def test_ctrl_c_ends_the_watching_only(cluster: Cluster) -> None:
    cluster.memtail("submit", *SMALL)
    output = cluster.folder / "watched"
    watching = cluster.started("cli.main", "watch", "small", output=output)
    cluster.wait_until("it has said how far it is", lambda: "\n" in output.read_text())
    first = output.read_text()
    assert "12 waiting" in first
    assert "no cpu worker is running" in first
    watching.send_signal(signal.SIGINT)
    assert watching.wait() == 130
    rest = output.read_text()
    assert "the study goes on" in rest
    assert "Traceback" not in rest
    assert json.loads(cluster.memtail("status", "small", "--json").stdout)["waiting"] == 12


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("watch", "nothing"), "holds no study"),
        (("cancel", "nothing"), "holds no study"),
        (("submit", "nothing.toml"), "cannot read the study"),
        (("submit", "small.toml", "--set", "training.epochs=x"), "epochs"),
        (("submit", "small.toml", "--set", "training.recipe=sklearn:tree.DecisionTreeClassifier",
          "--stack", "4"), "widths"),
        (("watch", "small", "--store", "s3://no_such"), "names no bucket"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(cluster: Cluster, arguments: tuple[str, ...], expected: str) -> None:
    ran = cluster.memtail(*arguments, code=2)
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("error:")]
    assert expected in line


def test_without_a_broker_a_cluster_is_not_there(cluster: Cluster) -> None:
    cluster.redis.stop()
    ran = cluster.memtail("workers", code=2)
    assert ran.stderr.startswith("error: cannot reach Redis at redis://127.0.0.1")
    told = cluster.memtail("status")
    assert "Warning: the status of the cluster is unknown: cannot reach Redis" in told.stderr
    assert "holds no study" in told.stdout
