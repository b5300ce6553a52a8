"""What of a study is still to be trained, as the store has it."""

import time
from dataclasses import dataclass

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_FRESH = 2.0  # seconds: short shards need not wait for a listing each


@dataclass(frozen=True)
class Wanted:
    """How far a study goes, and what of it was given up.

    Attributes:
        study: which.
        goal: trials.
        given_up: shards that are not tried again until a retry.
        is_stopped: whether an error of the study itself stopped it.
        read: when.
    """

    study: Study
    goal: int
    given_up: frozenset[Shard]
    is_stopped: bool
    read: float

    @classmethod
    def of(cls, store: ObjectStore, study: Study) -> "Wanted":
        """Read it."""
        goal = catalogue.goal(store, study)
        given_up = {
            shard: tries[-1][1]
            for shard, tries in failures.attempts(store, study).items()
            if tries[-1][1] != "machine" and shard.first < goal
        }
        is_stopped = any(
            kind == "study" and not store.exists(shard.key(study))
            for shard, kind in given_up.items()
        )
        return cls(study, goal, frozenset(given_up), is_stopped, time.monotonic())

    @property
    def is_fresh(self) -> bool:
        """Whether it need not be read again yet."""
        return time.monotonic() < self.read + _FRESH

    def __contains__(self, shard: Shard) -> bool:
        is_one = shards.named(self.study, shard.name) is not None and shard.first < self.goal
        return is_one and not self.is_stopped and shard not in self.given_up
