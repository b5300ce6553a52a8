"""A shard that is damaged whenever it is read again comes to an end, like one that fails."""

import json

import pytest

from services.aggregator.publisher import Publisher
from services.status import StudyStatus
from tests.services.cluster import Cluster as Processes
from tests.services.test_attempts import EVERY_ATTEMPT, MOST, Inline, inline

__all__ = ["inline"]


def test_shards_that_only_the_aggregator_takes_for_damaged(
    inline: Inline, cluster: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the aggregator alone has MEMTAIL_SHARD_KEY: the workers sign nothing."""
    publisher = Publisher(inline.cluster)
    n_trained = 0
    while inline.queued:
        n_trained += len(inline.work())
        with monkeypatch.context() as keyed:
            keyed.setenv("MEMTAIL_SHARD_KEY", "a key of at least 16 characters")
            publisher._publish(inline.study, StudyStatus.of(inline.cluster.store, inline.study))
        assert cluster.stored() == []
        inline.look(3)
        assert n_trained <= 2 * MOST, "it has no end"
    publisher.close()
    assert n_trained == 2 * MOST
    assert inline.recorded() == EVERY_ATTEMPT
    assert "damaged: it is not signed with MEMTAIL_SHARD_KEY" in inline.reason()
    status = json.loads(cluster.memtail("status", "small", "--json").stdout)
    assert (status["state"], status["failed"]) == ("failed", 4)
