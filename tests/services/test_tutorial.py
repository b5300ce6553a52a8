"""The commands of the tutorial of a cluster, in order; processes take the place of containers."""

import json
import shlex

from tests.docs.blocks import ROOT, blocks
from tests.services.cluster import Cluster

PAGE = ROOT / "docs" / "tutorials" / "cluster.md"
MORE = {"submit": ("--trials", "20", "--stack", "10")}  # than 300 models a test has no time for
JOBS = """
[study]
name = "jobs"
trials = 320
shard_size = 5
[dataset]
source = "sklearn:iris"
[training]
recipe = "sklearn:tree.DecisionTreeClassifier"
"""


def test_the_tutorial_of_a_cluster_leads_to_a_report(cluster: Cluster) -> None:
    (cluster.folder / "study.toml").write_text(JOBS)
    printed: dict[str, str] = {}
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        for command in block.commands if block.language == "console" else ():
            program, name, *rest = shlex.split(command.replace("/shared/runs", "shared-runs"))
            if program == "memtail":
                ran = cluster.memtail(name, *rest, *MORE.get(name, ()))
                printed[name] = ran.stdout + ran.stderr
            elif command == "docker compose up -d":
                cluster.worker()
                cluster.aggregator()
                cluster.wait_until(
                    "both are there",
                    lambda: all(json.loads(cluster.memtail("workers", "--json").stdout).values()),
                )
            else:
                assert command.startswith(("pip ", "cp ", "docker compose ")), command
    assert list(printed) == [
        *("doctor", "submit", "watch", "fetch", "workers", "status", "retry", "cancel", "run")
    ]
    assert "2 shards enqueued" in printed["submit"]
    assert "are memorized" in printed["fetch"]
    assert printed["workers"].count("cpu-") == 1
    assert "complete" in printed["status"]
    (jobs,) = (cluster.folder / "shared-runs" / "studies").glob("jobs-*")
    assert len(list((jobs / "shards").iterdir())) == 1, "the third of 64 parts is one shard"
    assert cluster.study.id.startswith("digits-")
