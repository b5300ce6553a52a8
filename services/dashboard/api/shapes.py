"""The requests and responses of the API, as its OpenAPI document describes them."""

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from memtail_core.catalogue.failures import Failure
from memtail_core.study import MOST_TRIALS
from services.orders import Device
from services.pace import Stored
from services.presence import Presence

StudyId = Annotated[
    str,
    Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{10}$", description="A study's id."),
]
State = Literal[
    "complete", "running", "waiting", "stopped", "cancelled", "failed", "unfinished"
]  # fmt: skip
Trials = Annotated[int, Field(ge=1, le=MOST_TRIALS)]
Stack = Annotated[int, Field(ge=1, le=10_000)]


class AtWork(BaseModel):
    """A worker that trains a shard."""

    shard: str
    worker: str
    attempt: int
    since: float


class WorkerError(BaseModel):
    """The last error of a worker that has not stored a shard of the study since."""

    worker: str
    reason: str
    when: float
    in_a_row: int = Field(description="Failures since it last stored a shard of the study.")
    is_aside: bool = Field(description="Whether it leaves the study to other workers.")


class ReportSummary(BaseModel):
    """The published report: the number of its models."""

    models: int


class StudyStatus(BaseModel):
    """The status of a study; all counts are of models."""

    id: str
    name: str
    state: State
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
    at_work: list[AtWork]
    worker_errors: list[WorkerError]
    failures: int
    report: ReportSummary | None
    is_experiment: bool
    recipe: str
    source: str
    kind: str
    examples: int
    test_examples: int
    classes: int
    updated: float


class StudyDetail(StudyStatus):
    """A study with its description."""

    description: dict[str, Any]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    trials: Trials | None = Field(
        None, description="Models in all; more than now lets the study grow, fewer change nothing."
    )
    shrink: bool = Field(
        False, description="Let fewer 'trials' lower the number of models; stored models stay."
    )
    device: Device | None = Field(
        None, description="Which workers train; by default as before, or a GPU."
    )
    stack: Stack | None = Field(None, description="Networks that a worker trains at once.")


class Growth(_Asked):
    """How to continue a study in the store."""


class Submission(_Asked):
    """A study to train: the tables of a study file, or the name of a study that ships."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"shipped": "digits", "trials": 300},
                {
                    "study": {"name": "flowers", "trials": 500},
                    "dataset": {"source": "sklearn:iris"},
                    "training": {"recipe": "sklearn:ensemble.RandomForestClassifier"},
                },
            ]
        },
    )

    shipped: str | None = Field(None, description="A study that ships with memtail: 'digits'.")
    study: dict[str, Any] = {}
    dataset: dict[str, Any] | None = Field(
        None, description="source: 'sklearn:…', or 'stored:SHA256' of a dataset in the store."
    )
    training: dict[str, Any] = {}
    subsets: dict[str, Any] = {}


class Submitted(BaseModel):
    """The number of trials wanted, and of shards enqueued."""

    id: str
    trials: int
    enqueued: int


class Cancelled(BaseModel):
    """The number of shards that were being trained and are stopped."""

    id: str
    stopped: int


class Retried(BaseModel):
    """The number of shards that were enqueued again."""

    id: str
    enqueued: int


class Failures(BaseModel):
    """Failed attempts, those that stopped something first; ``total`` counts all of them."""

    total: int
    items: list[Failure]


class Shards(BaseModel):
    """The shards that workers stored last, the latest first."""

    items: list[Stored]


class Workers(BaseModel):
    """Running workers and aggregators, and the tasks that wait, by kind of device."""

    workers: list[Presence]
    aggregators: list[Presence]
    queues: dict[str, int]


class DatasetStored(BaseModel):
    """A dataset in the store; ``source = "stored:SHA256"`` names it."""

    sha256: str
    source: str
    kind: str
    examples: int
    test_examples: int
    classes: int


class Score(BaseModel):
    """The scores of one training example; null: cannot be estimated."""

    model_config = ConfigDict(extra="allow")

    index: int
    label: int
    memorization: float | None
    standard_error: float | None
    ci_low: float | None
    ci_high: float | None


class Pair(BaseModel):
    """A training and a test example, and the influence of the first on the second."""

    model_config = ConfigDict(extra="allow")

    train_index: int
    test_index: int
    influence: float
    standard_error: float | None
    memorization: float | None


class _Page(BaseModel):
    id: str
    models: int = Field(description="Models in the report.")
    total: int
    offset: int
    limit: int
    links: dict[str, str]


class Scores(_Page):
    """Rows of the scores table."""

    items: list[Score]


class Pairs(_Page):
    """Rows of the pairs table."""

    items: list[Pair]


class InfluenceOfOne(BaseModel):
    """The strongest pairs of one example; ``note`` says why there are none."""

    id: str
    models: int
    items: list[Pair]
    note: str | None


class Health(BaseModel):
    """Whether the dashboard reaches the store and Redis."""

    status: Literal["ok", "trouble"]
    detail: str | None
