"""The queue holds a bounded part of a large study; the aggregator enqueues the rest in time.

Situation: 100,000 tasks of one study in Redis, 1 kB each, were read and parsed at every round, and
``submit`` took minutes to send them. From celery/celery#2468 and freelawproject/courtlistener#5493:
tasks that are enqueued faster than they are trained fill the memory of Redis.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery

from memtail_core.catalogue import failures
from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.study import Study
from services import broker, presence, queue, submission
from services.aggregator import reconciler as reconciling
from services.aggregator.reconciler import Reconciler
from services.presence import Presence
from services.queue import configuration, queue_of
from services.submission import Cluster
from tests.catalogue.many import filled
from tests.servers import redis_server

MOST = 5
CPU = queue_of("cpu")


@dataclass
class Setting:
    cluster: Cluster
    study: Study

    @property
    def queued(self) -> int:
        return broker.queue_length(self.cluster.client, CPU)

    def train(self, n: int) -> None:
        """As workers do: take tasks, and store their shards."""
        for _ in range(n):
            message = json.loads(str(self.cluster.client.rpop(CPU)))
            _, first, last, _ = json.loads(base64.b64decode(message["body"]))[0]
            self.cluster.store.put(Shard(first, last).key(self.study), b"")


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    """A study of 20 shards that was submitted and of which nothing is stored."""
    store, (study,) = filled(1, n_shards=20)
    for key in list(store.list(f"{study.prefix}shards/")):
        store.delete(key)
    with redis_server() as server:
        settings = Settings(_env_file=None, broker_url=server.url)
        app = Celery("memtail")
        app.conf.update(configuration(settings))
        for module in (queue, submission):
            monkeypatch.setattr(module, "app", app)
        for module in (reconciling, submission):
            monkeypatch.setattr(module, "MOST_QUEUED", MOST)
        yield Setting(Cluster(store, broker.connect(settings), settings), study)
        app.close()


def test_the_aggregator_keeps_the_queue_full_and_bounded(setting: Setting) -> None:
    reconciler = Reconciler(setting.cluster)
    depths = []
    for _ in range(6):
        reconciler.look(setting.study)
        reconciler.look(setting.study)
        depths.append(setting.queued)
        setting.train(min(4, setting.queued))
    assert depths == [5, 5, 5, 5, 4, 0]
    assert reconciler.look(setting.study).state == "complete"
    assert failures.read(setting.cluster.store, setting.study) == []


@pytest.mark.parametrize(("is_watched", "depth"), [(True, MOST), (False, 20)])
def test_a_retry_enqueues_all_only_where_no_aggregator_would(
    setting: Setting, is_watched: bool, depth: int
) -> None:
    cluster: Any = setting.cluster
    if is_watched:
        there = Presence(name="a", role="aggregator", store="s3://counting", since=1.0)
        presence.announce(cluster.client, there)
    for shard in (Shard(5 * n, 5 * n + 5) for n in range(20)):
        failure = failures.Failure(
            shard=shard.name, attempt=5, kind="last", reason="r", worker="w", when=1.0
        )
        failures.record(cluster.store, setting.study.id, failure)
    assert submission.retry(cluster, setting.study) == 20
    assert setting.queued == depth
