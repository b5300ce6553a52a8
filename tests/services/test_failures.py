"""What fails again and again is given up with its reason; an error of the study stops it."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard
from memtail_core.running.preparation import prepare
from memtail_core.study import Spec, Study
from services import broker, orders
from services.queue import queue_of
from tests.services.cluster import Cluster, GatedCluster, Service

OWN = """
[study]
name = "own"
trials = 12
shard_size = 1
[dataset]
source = "sklearn:iris"
[training]
recipe = "python:own_recipe:fit"
"""
RECIPE = """
import os, signal
import numpy as np

def fit(x, y, *, seed, device, n_classes):
    {body}
    return lambda inputs: np.zeros(len(inputs), int)
"""
WRONG = "raise ValueError('no such luck')"
DEADLY = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def own(cluster: Cluster) -> Cluster:
    (cluster.folder / "own.toml").write_text(OWN)
    return cluster


def recipe(cluster: Cluster, body: str) -> dict[str, str]:
    """Write the recipe; return the environment of workers that have it and may run it."""
    (cluster.folder / "own_recipe.py").write_text(RECIPE.format(body=body))
    return {
        "PYTHONPATH": f"{cluster.folder}:{Path(__file__).parents[2]}",
        "MEMTAIL_ALLOW_PYTHON_RECIPES": "1",
    }


def test_an_error_of_the_users_code_stops_the_study_and_is_shown(own: Cluster) -> None:
    env = recipe(own, WRONG)
    worker = own.worker(**env)
    own.aggregator()
    ran = own.memtail("submit", "own.toml", "--wait", code=1)
    assert "this recipe is your own code" in ran.stdout
    assert "error: 'python:own_recipe:fit' failed: ValueError: no such luck" in ran.stdout
    study = own.study
    own.wait_until(
        "the other tasks are let go",
        lambda: broker.queue_length(own.client, queue_of("cpu")) == 0,
    )
    own.wait_for_looks()  # and leaves it alone
    (failure,) = failures.read(own.store, study)
    assert failure.kind == "study"
    assert failure.attempt == 1
    assert let_go(worker) == 11
    status = own.memtail("status", "own").stdout
    assert "stopped" in status
    assert "own_recipe.py" in status
    assert "raise ValueError('no such luck')" in status
    assert f"memtail retry {study.id}" in status
    assert json.loads(own.memtail("status", "own", "--json").stdout)["state"] == "stopped"


def test_a_worker_that_may_not_run_the_users_code_says_so(own: Cluster) -> None:
    env = recipe(own, "pass")
    del env["MEMTAIL_ALLOW_PYTHON_RECIPES"]
    own.worker(**env, MEMTAIL_MOST_ATTEMPTS="1")
    own.aggregator()
    ran = own.memtail("submit", "own.toml", "--wait", code=1)
    assert "does not run code that a study names ('python:own_recipe:fit')" in ran.stdout
    own.worker(**recipe(own, "pass"))
    own.services[0].kill()
    assert "12 shards" in own.memtail("retry", "own").stdout
    own.memtail("watch", "own")


def test_a_shard_that_kills_its_process_is_given_up_and_the_others_go_on(own: Cluster) -> None:
    """As one does that needs more memory than a worker has."""
    deadly = own.folder / "deadly"
    env = recipe(own, f"if seed == int(open('{deadly}').read()): {DEADLY}")
    own.memtail("submit", "own.toml")
    deadly.write_text(seed_of(own.study, trial=5))
    worker = own.worker(**env, MEMTAIL_MOST_ATTEMPTS="2")
    own.aggregator(MEMTAIL_MOST_ATTEMPTS="2")
    own.memtail("watch", "own", code=1)
    assert len(own.stored()) == 11
    tried = failures.read(own.store, own.study)
    assert [(each.shard, each.attempt, each.kind) for each in tried] == [
        ("0000005-0000006", 1, "machine"),
        ("0000005-0000006", 2, "last"),
    ]
    before = let_go(worker)
    own.send(own.study, Shard(5, 6))  # as Redis hands out again what a lost worker had
    own.wait_until("the worker lets go of it", lambda: let_go(worker) == before + 1)
    deadly.write_text("-1")
    assert "1 shard of" in own.memtail("retry", "own").stdout, "only what failed"
    own.memtail("watch", "own")
    assert len(own.stored()) == 12


def test_what_is_away_is_tried_again_later(gated: GatedCluster, gated_scores: bytes) -> None:
    """A worker without patience gives up its attempt; the aggregator enqueues the next one."""
    worker = gated.worker(MEMTAIL_STORE_PATIENCE="0.1")
    aggregator = gated.aggregator()
    gated.memtail("submit", "gated.toml")
    gated.mid_shard(worker, stored=2)
    gated.faults.answer_503()
    gated.wait_until(
        "an attempt failed",
        lambda: gated.gate.let_one_through() or "attempt 1:" in worker.log.read_text(),
    )
    gated.faults.heal()
    assert gated.finish() == gated_scores
    assert ", attempt 2" in aggregator.log.read_text()


def test_cancel_frees_the_workers_and_keeps_what_is_stored(own: Cluster) -> None:
    """The sixth shard would take a quarter of an hour; others wait behind it."""
    slow = own.folder / "slow"
    env = recipe(own, f"import time; time.sleep(1000 * (open('{slow}').read() == str(seed)))")
    own.memtail("submit", "own.toml")
    study = own.study
    slow.write_text(seed_of(study, trial=5))
    worker = own.worker(**env)
    own.aggregator()
    own.wait_until("5 stored", lambda: len(own.stored()) == 5)
    own.wait_until("one under way", own.leases)
    assert "stopped 1 shard in training" in own.memtail("cancel", "own").stdout
    assert not own.leases()
    own.wait_until("the worker has let go of all", lambda: let_go(worker) == 6)
    own.wait_for_looks()
    assert len(own.stored()) == 5
    assert failures.read(own.store, study) == []
    assert "cancelled" in own.memtail("status", "own").stdout
    assert "was cancelled" in own.memtail("retry", "own", code=2).stderr
    assert "cancelled" in own.memtail("watch", "own", code=1).stdout
    slow.write_text("")
    assert "7 shards enqueued" in own.memtail("submit", "own.toml", "--wait").stdout
    assert len(own.stored()) == 12


def seed_of(study: Study, trial: int) -> str:
    """The seed that the recipe is called with for a trial."""
    return str(int(designs.training_seeds(study, [trial])[0]) % 2**32)


def let_go(worker: Service) -> int:
    """Of how many shards a task was no longer wanted; the aggregator may have enqueued two."""
    return len(set(re.findall(r"/([\d-]+)/\w+\] .*'no longer wanted'", worker.log.read_text())))


def test_a_study_that_was_not_submitted_is_left_alone(cluster: Cluster) -> None:
    path = str(cluster.folder / "small.toml")
    store = cluster.store
    study, dataset = prepare(Spec.load(path))
    catalogue.register(store, study, dataset, 36)
    assert "was never submitted" in cluster.memtail("cancel", "small", code=2).stderr
    cluster.worker()
    cluster.aggregator()
    cluster.wait_until(
        "both are there", lambda: len(cluster.client.keys("memtail:presence:*")) == 2
    )
    cluster.wait_for_looks()
    assert cluster.stored() == []
    assert orders.read(store, study) is None


def test_a_worker_that_cannot_finish_in_time_gives_its_shard_back(own: Cluster) -> None:
    """No aggregator is there: the queue alone has the shard again, and its lease is ended."""
    slow = own.folder / "slow"
    env = recipe(own, f"import time; time.sleep(1000 if os.path.exists('{slow}') else 0)")
    slow.touch()
    own.memtail("submit", "own.toml")
    worker = own.worker(**env, MEMTAIL_GRACE="1", MEMTAIL_LEASE="60")
    lease = own.lease()
    begun = time.monotonic()
    worker.signal(signal.SIGTERM)
    worker.wait()
    assert 1 <= time.monotonic() - begun < 500, "the shard would take a thousand seconds"
    assert not own.leases()
    slow.unlink()
    own.worker(**env)
    own.wait_until("it is stored", lambda: any(lease.shard in key for key in own.stored()))
    assert failures.read(own.store, own.study) == []


def test_a_worker_is_stopped_while_redis_is_away(own: Cluster) -> None:
    worker = own.worker()
    own.wait_until("it is there", lambda: own.client.keys("memtail:presence:worker:*"))
    own.redis.stop()
    own.wait_until("it notices", lambda: "Cannot connect to redis" in worker.log.read_text())
    worker.signal(signal.SIGTERM)
    worker.wait()
