"""The stored trials of a study; what is damaged is set aside, counted, and so trained again."""

import logging
import time

from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure
from memtail_core.running import loading
from memtail_core.running.loading import Damaged
from memtail_core.running.trials import Trials
from memtail_core.study import Study
from services.submission import Cluster

log = logging.getLogger(__name__)


def load_verified(cluster: Cluster, study: Study) -> tuple[Trials, list[Damaged]]:
    """Load every stored trial, without values; set damaged shards aside, and count them."""
    loaded, damaged = loading.load(cluster.store, study, set_aside=True)
    for each in damaged:
        log.warning("%s: %s is damaged (%s); set aside", study.id, each.shard, each.reason)
        _count(cluster, study, each)
    return loaded, damaged


def _count(cluster: Cluster, study: Study, damaged: Damaged) -> None:
    """Count a damaged shard as a failed attempt: what is damaged again and again has an end."""
    store, most = cluster.store, cluster.settings.most_attempts
    attempt = failures.last_attempt(store, study.id, damaged.shard) + 1
    failure = Failure(
        shard=damaged.shard.name,
        attempt=attempt,
        kind="machine" if attempt < most else "last",
        reason=f"the stored shard was damaged: {damaged.reason}",
        worker="unknown",
        when=time.time(),
    )
    failures.record(store, study.id, failure)
