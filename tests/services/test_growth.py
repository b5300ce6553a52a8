"""``memtail submit --until``: the cluster trains until a rule is met, whoever is restarted."""

import json
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.catalogue import Progress
from memtail_core.experiments.results import kept
from memtail_core.experiments.stopping.looks import looks
from memtail_core.experiments.stopping.result import StoppingHistory
from memtail_core.experiments.stopping.rules import parse
from memtail_core.experiments.stopping.watch import look_at
from memtail_core.store import FilesStore
from services import growth, orders
from services.aggregator.finder import Finder
from services.aggregator.grower import Grower
from services.orders import Order
from services.status import StudyStatus
from services.submission import Cluster as Services
from tests.conftest import Trained
from tests.services.cluster import Cluster
from tests.services.conftest import STACK, TOML, scores_of

RULE = "se<=0.18"


class Growing:
    """The trained study, growing in an empty store, whose shards a test copies into it."""

    def __init__(self, folder: Path, trained: Trained, cluster: Cluster, order: Order) -> None:
        self.store, self.study = FilesStore(folder), trained.study
        self.trained, self.services = (
            trained,
            Services(self.store, cluster.client, cluster.settings),
        )
        orders.place(self.store, self.study, order)
        catalogue.register(
            self.store, self.study, trained.dataset, growth.first_goal(self.study, order, 0, 0)
        )

    @property
    def status(self) -> StudyStatus:
        return StudyStatus.of(self.store, self.study)

    def train(self) -> None:
        for shard in Progress.of(self.store, self.study).missing:
            for key in (shard.values_key(self.study), shard.key(self.study)):
                self.store.put(key, self.trained.store.get(key))

    def grow(self, growers: int = 1) -> None:
        """Let aggregators that know nothing yet look at once, until one of them has decided."""
        before = self.status
        started = [Grower(self.services) for _ in range(growers)]
        assert not any(each.consider(self.study, before) for each in started)
        while self.status.is_open:
            time.sleep(0.01)
        for each in started:
            each.close()

    def history(self) -> Iterator[int]:
        """Train and grow to the end; yield the number of models at each look."""
        while True:
            self.train()
            assert self.status.state == "waiting"
            assert not self.status.is_over
            yield self.status.progress.n_stored
            self.grow(growers=2)
            if not self.status.to_train:
                return


def first_met(trained: Trained) -> int:
    """The first look at which the rule is met, without any cluster."""
    study, trials = trained.study, trained.trials
    for n in takewhile(lambda n: n <= len(trials), looks(study.shard_size)):
        if look_at(study, [parse(RULE)], trials.taken(np.arange(n))).met:
            return n
    raise AssertionError("never")


def test_a_study_grows_from_look_to_look_until_the_rule_is_met(
    tmp_path: Path, trained: Trained, cluster: Cluster
) -> None:
    growing = Growing(tmp_path, trained, cluster, Order(device="cpu", until=(RULE,)))
    end = first_met(trained)
    assert 20 < end <= 40
    looked = list(growing.history())
    assert looked == [n for n in looks_of(trained) if n <= end]
    assert growing.status.state == "complete"
    (history,) = kept(growing.store, growing.study, StoppingHistory)
    assert (history.reason, history.trials, history.conditions) == ("enough", end, [RULE])
    assert catalogue.goal(growing.store, growing.study) == end
    assert Finder(growing.store).every() == [growing.study], "its report is missing"


def looks_of(trained: Trained) -> list[int]:
    return list(takewhile(lambda n: n <= 40, looks(trained.study.shard_size)))


def test_it_grows_no_further_than_was_allowed(
    tmp_path: Path, trained: Trained, cluster: Cluster
) -> None:
    order = Order(device="cpu", until=("se<=0.01",), most=30)
    growing = Growing(tmp_path, trained, cluster, order)
    assert list(growing.history())[-1] == 30
    assert growing.status.state == "complete"
    (history,) = kept(growing.store, growing.study, StoppingHistory)
    assert history.reason == "trials"
    orders.place(growing.store, growing.study, order.model_copy(update={"most": 35}))
    assert growing.status.is_open, "more may be trained now"
    orders.place(growing.store, growing.study, Order(device="cpu", until=("se<=0.5",)))
    assert growing.status.is_open, "another rule decides anew"
    growing.grow()
    assert growing.status.state == "complete"
    assert catalogue.goal(growing.store, growing.study) == 30
    orders.place(growing.store, growing.study, order.model_copy(update={"cancelled": True}))
    assert growing.status.state in ("cancelled", "complete")


def test_an_aggregator_that_comes_late_never_lowers_the_goal(
    tmp_path: Path, trained: Trained, cluster: Cluster
) -> None:
    order = Order(device="cpu", until=("se<=0.01",))
    growing = Growing(tmp_path, trained, cluster, order)
    growing.train()
    late, slow = growing.status, Grower(growing.services)
    growing.grow()
    growing.train()
    growing.grow()
    goal = catalogue.goal(growing.store, growing.study)
    slow.consider(growing.study, late)
    slow.close(wait=True)
    assert catalogue.goal(growing.store, growing.study) == goal


def test_orders_without_rules_are_written_as_before(tmp_path: Path, trained: Trained) -> None:
    store = FilesStore(tmp_path)
    orders.place(store, trained.study, Order(device="cpu", stack=2))
    (key,) = [key for key in store.list("studies/") if key.endswith("order.json")]
    assert store.get(key) == b'{"device":"cpu","stack":2,"cancelled":false}'


@pytest.mark.slow
def test_the_cluster_stops_growing_when_it_is_good_enough(cluster: Cluster, tmp_path: Path) -> None:
    said = cluster.memtail("submit", "small.toml", "--stack", str(STACK), "--until", RULE).stdout
    assert f"until     {RULE}: about " in said
    assert "21 models in 7 shards, then as many as it takes" in said
    cluster.worker()
    first = cluster.aggregator()
    cluster.wait_until("it has grown", lambda: catalogue.goal(cluster.store, cluster.study) > 21)
    first.kill()
    cluster.aggregator()
    watched = json.loads(cluster.memtail("submit", "small", "--wait", "--json").stdout)
    assert watched["state"] == "complete"
    n = watched["summary"]["trials"]
    assert 21 <= n <= 40
    assert cluster.published() == n
    (history,) = kept(cluster.store, cluster.study, StoppingHistory)
    assert (history.trials, history.reason) == (n, "enough")
    assert cluster.store.get(f"{cluster.study.prefix}report/scores.parquet") == scores_of(
        TOML, tmp_path, STACK, n
    )
    plan = json.loads(cluster.memtail("submit", "small", "--dry-run", "--json").stdout)
    assert (plan["until"], plan["shards"]) == ([RULE], 0), "the rule is kept, and met"
    refused = cluster.memtail("submit", "small", "--until", "good", code=2).stderr
    assert refused.startswith("error: --until 'good': write se<=0.05")
