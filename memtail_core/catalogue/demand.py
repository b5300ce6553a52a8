"""Which shards of a study a worker may train: what it asks before each, without a long listing."""

from dataclasses import dataclass

from memtail_core.catalogue import failures
from memtail_core.catalogue.goals import goal as stored_goal
from memtail_core.catalogue.stored import stored_shards
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_MOST_ASKED = 50  # shards that failed; for more, listing all that are stored is faster


@dataclass(frozen=True)
class Demand:
    """Which shards of a study a worker may train; unlike progress, without a listing of all shards.

    Attributes:
        study: which.
        goal: the number of trials wanted.
        given_up: the shards that are not tried again until a retry.
        is_stopped: whether an error of the study itself stopped all of it.
    """

    study: Study
    goal: int
    given_up: frozenset[Shard]
    is_stopped: bool

    @classmethod
    def of(cls, store: ObjectStore, study: Study, goal: int | None = None) -> "Demand":
        """Ask the store for the failures, and whether what failed was stored since.

        ``goal`` stands for the stored number of trials.

        Raises:
            StoreError: the store cannot be reached, or ``goal.json`` is damaged.
        """
        goal = stored_goal(store, study) if goal is None else goal
        attempts = failures.attempts(store, study)
        ended = [
            shard
            for shard, each in attempts.items()
            if shard.first < goal and any(kind != "machine" for _, kind in each)
        ]
        if len(ended) > _MOST_ASKED:
            missing = set(ended) - set(stored_shards(store, study))
        else:
            missing = {shard for shard in ended if not store.exists(shard.key(study))}
        return cls(
            study,
            goal,
            frozenset(shard for shard in missing if attempts[shard][-1][1] != "machine"),
            any(kind == "study" for shard in missing for _, kind in attempts[shard]),
        )

    def is_wanted(self, shard: Shard) -> bool:
        """Whether a worker may train this shard: planned, and neither given up nor stopped.

        A stored shard is wanted too: it may be damaged, which the listing does not tell.
        """
        is_planned = shards.named(self.study, shard.name) is not None and shard.first < self.goal
        return is_planned and not self.is_stopped and shard not in self.given_up
