"""What the monitor read: each study, and everything else at one moment; none of it ever changes."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from memtail_core.catalogue.reports import Manifest
from memtail_core.study import Study
from services.presence import Presence
from services.status import StudyStatus


@dataclass(frozen=True)
class StudyView:
    """A study as it was when last read.

    Attributes:
        status: how far it is, and who trains it.
        report: the manifest of the published report, if it is whole.
        updated: since when it has been so, seconds since 1970.
    """

    status: StudyStatus
    report: Manifest | None
    updated: float = field(default=0.0, compare=False)

    @property
    def study(self) -> Study:
        """Which study."""
        return self.status.study

    @property
    def state(self) -> str:
        """As ``memtail status`` has it: "unfinished" where the study was never submitted."""
        state = self.status.state
        return "unfinished" if state == "not submitted" else state

    @property
    def is_experiment(self) -> bool:
        """Whether it belongs to an experiment, and so has no scores."""
        return self.study.is_experiment

    @property
    def is_under_way(self) -> bool:
        """Whether the cluster is to train it, and can."""
        return not self.status.is_over

    @property
    def shard_seconds(self) -> float | None:
        """What a shard took, lately."""
        return self.status.pace.shard_seconds if self.status.pace else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        data = self.study.dataset
        return {
            **self.status.as_dict(),
            "name": self.study.name,
            "state": self.state,
            "shard_seconds": self.shard_seconds,
            "at_work": [
                lease.model_dump(include={"shard", "worker", "attempt", "since"})
                for lease in self.status.at_work
            ],
            "failures": self.status.n_failures,
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
    """Everything, at one moment.

    Attributes:
        when: seconds since 1970.
        number: rises with every change.
        studies: those under way first, then by id.
        queues: tasks that wait, by kind of device.
        trouble: why the store or Redis cannot be reached; what was known before is kept.
        damaged: a sentence for each study that cannot be read.
    """

    when: float = field(compare=False)
    number: int = field(compare=False)
    studies: tuple[StudyView, ...] = ()
    workers: tuple[Presence, ...] = ()
    aggregators: tuple[Presence, ...] = ()
    queues: dict[str, int] = field(default_factory=dict)
    trouble: str | None = None
    damaged: tuple[str, ...] = ()

    def study(self, study_id: str) -> StudyView | None:
        """The study of that id, if there is one."""
        return self._by_id.get(study_id)

    @cached_property
    def _by_id(self) -> dict[str, StudyView]:
        return {each.study.id: each for each in self.studies}

    @cached_property
    def overview(self) -> str:
        """What concerns all studies, as JSON; ``studies`` has their ids in order."""
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
