"""How far a study is: what is planned, stored, missing and given up, by the store's listing alone.

Everything that shows, trains or schedules a study asks here. What Redis knows besides (who trains
now, and how fast) is a hint and belongs to the services.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Kind
from memtail_core.catalogue.goals import goal as stored_goal
from memtail_core.catalogue.stored import Listing
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study


@dataclass(frozen=True)
class Progress:
    """How far a study is at one moment. Shards are ascending; ``n_…`` are numbers of models.

    Attributes:
        study: which.
        goal: the number of trials wanted, 0 where none was registered.
        stored: every stored shard, those beyond the goal too.
        attempts: the failed attempts at each shard, (number, kind), ascending.
        listing: where ``stored`` comes from, for the next look.
    """

    study: Study
    goal: int
    stored: tuple[Shard, ...]
    attempts: Mapping[Shard, Sequence[tuple[int, Kind]]]
    listing: Listing | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        store: ObjectStore,
        study: Study,
        goal: int | None = None,
        before: "Progress | None" = None,
    ) -> "Progress":
        """List the store; ``goal`` stands for the stored number of trials.

        Of a large study that was looked at ``before``, only what was missing then is listed.

        Raises:
            StoreError: the store cannot be reached, or ``goal.json`` is damaged.
        """
        wanted = stored_goal(store, study) if goal is None else goal
        known = before.listing if before is not None and before.study.id == study.id else None
        listing = Listing.of(store, study, known)
        return cls(study, wanted, listing.shards, failures.attempts(store, study), listing)

    @cached_property
    def planned(self) -> tuple[Shard, ...]:
        """The fewest whole shards with at least ``goal`` trials."""
        return tuple(shards.planned(self.study, self.goal))

    @cached_property
    def missing(self) -> tuple[Shard, ...]:
        """The planned shards that are not stored, whether or not they were given up."""
        stored = set(self.stored)
        return tuple(shard for shard in self.planned if shard not in stored)

    @cached_property
    def failed(self) -> tuple[Shard, ...]:
        """The missing shards that were given up: they are not tried again until a retry."""
        return tuple(
            shard
            for shard in self.missing
            if shard in self.attempts and self.attempts[shard][-1][1] != "machine"
        )

    @cached_property
    def is_stopped(self) -> bool:
        """Whether an error of the study itself (code, recipe, data) stopped all of it."""
        return any(kind == "study" for s in self.missing for _, kind in self.attempts.get(s, ()))

    @cached_property
    def to_train(self) -> tuple[Shard, ...]:
        """The missing shards that were not given up; none once the study is stopped."""
        if self.is_stopped:
            return ()
        failed = set(self.failed)
        return tuple(shard for shard in self.missing if shard not in failed)

    @property
    def is_complete(self) -> bool:
        """Whether every planned shard is stored, and any is planned."""
        return bool(self.planned) and not self.missing

    @property
    def n_planned(self) -> int:
        """Models planned."""
        return self._models(self.planned)

    @property
    def n_stored(self) -> int:
        """Models stored, those beyond the goal too."""
        return self._models(self.stored)

    @property
    def n_missing(self) -> int:
        """Models planned and not stored."""
        return self._models(self.missing)

    @property
    def n_failed(self) -> int:
        """Models given up."""
        return self._models(self.failed)

    @property
    def n_without_gap(self) -> int:
        """Models stored from the first on, up to the first that is missing."""
        size = self.study.shard_size
        for number, shard in enumerate(self.stored):
            if shard.first != number * size:
                return number * size
        return self.n_stored

    def last_attempt(self, shard: Shard) -> int:
        """The number of the last failed attempt at a shard, 0 if none failed."""
        return max((number for number, _ in self.attempts.get(shard, ())), default=0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers of models, not of shards."""
        return {
            "id": self.study.id,
            "state": "complete" if self.is_complete else "unfinished",
            "goal": self.n_planned,
            "models": self.n_planned,
            "stored": self.n_stored,
            "missing": self.n_missing,
            "failed": self.n_failed,
        }

    def _models(self, of: Collection[Shard]) -> int:
        return len(of) * self.study.shard_size
