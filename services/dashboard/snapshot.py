"""What the observer saw: each study as it was, and all there is; none of it ever changes."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from memtail_core.catalogue.reports import Manifest
from memtail_core.study import Study
from services.leases import Lease
from services.pace import Stored
from services.presence import Presence

UNDER_WAY = ("running", "waiting")


@dataclass(frozen=True)
class StudySeen:
    """A study as it was when last looked at; numbers of models, not of shards.

    Attributes:
        state: as ``memtail status`` says; "unfinished" where it was never submitted.
        models, stored, running, waiting, failed: how many.
        workers: how many there are for its kind of device.
        at_work: who trains which shard.
        n_failures: attempts that failed.
        report: of the published report, if it is whole.
        recent: the last shards that workers stored, the latest first.
        updated: since when it is so, seconds since 1970.
    """

    study: Study
    state: str
    models: int
    stored: int
    running: int
    waiting: int
    failed: int
    device: str | None
    workers: int
    models_per_hour: float | None
    seconds_left: float | None
    shard_seconds: float | None
    accuracy: dict[str, float | None] | None
    at_work: tuple[Lease, ...]
    n_failures: int
    report: Manifest | None
    is_experiment: bool
    recent: tuple[Stored, ...] = ()
    updated: float = field(default=0.0, compare=False)

    @property
    def is_under_way(self) -> bool:
        """Whether the cluster is to train it, and can."""
        return self.state in UNDER_WAY

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        data = self.study.dataset
        return {
            "id": self.study.id,
            "name": self.study.name,
            "state": self.state,
            "models": self.models,
            "stored": self.stored,
            "running": self.running,
            "waiting": self.waiting,
            "failed": self.failed,
            "device": self.device,
            "workers": self.workers,
            "models_per_hour": self.models_per_hour,
            "seconds_left": self.seconds_left,
            "shard_seconds": self.shard_seconds,
            "accuracy": self.accuracy,
            "at_work": [
                {"shard": each.shard, "worker": each.worker, "attempt": each.attempt}
                | {"since": each.since}
                for each in self.at_work
            ],
            "failures": self.n_failures,
            "report": None if self.report is None else {"models": self.report.trials},
            "is_experiment": self.is_experiment,
            "recipe": str(self.study.training.get("recipe", "unknown")),
            "source": data.source,
            "kind": data.kind,
            "examples": data.n_train,
            "test_examples": data.n_test,
            "classes": len(data.classes),
            "updated": self.updated,
        }

    @cached_property
    def json(self) -> str:
        """The same, encoded once for all who ask."""
        return json.dumps(self.as_dict(), ensure_ascii=False)


@dataclass(frozen=True)
class Snapshot:
    """All that was seen at one look.

    Attributes:
        when: seconds since 1970.
        number: rises with every change.
        studies: those under way first, then by id.
        queues: tasks that wait, by kind of device.
        trouble: why the store or Redis could not be reached; what was known before is kept.
        damaged: a sentence for each study that cannot be read.
    """

    when: float = field(compare=False)
    number: int = field(compare=False)
    studies: tuple[StudySeen, ...] = ()
    workers: tuple[Presence, ...] = ()
    aggregators: tuple[Presence, ...] = ()
    queues: dict[str, int] = field(default_factory=dict)
    trouble: str | None = None
    damaged: tuple[str, ...] = ()

    def study(self, study_id: str) -> StudySeen | None:
        """The study of that id, if there is one."""
        return self._by_id.get(study_id)

    @cached_property
    def _by_id(self) -> dict[str, StudySeen]:
        return {each.study.id: each for each in self.studies}

    @cached_property
    def overview(self) -> str:
        """What concerns no single study, as JSON; ``studies`` has their ids in order."""
        return json.dumps(
            {
                "when": self.when,
                "number": self.number,
                "studies": [each.study.id for each in self.studies],
                "workers": len(self.workers),
                "aggregators": len(self.aggregators),
                "queues": self.queues,
                "trouble": self.trouble,
                "damaged": self.damaged,
            },
            ensure_ascii=False,
        )

    @cached_property
    def listing(self) -> bytes:
        """Every study, as JSON, encoded once for all who ask."""
        return ("[" + ",".join(each.json for each in self.studies) + "]").encode()
