"""What the API takes and gives, as its OpenAPI document describes it."""

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


class ReportSeen(BaseModel):
    """The published report: of how many models."""

    models: int


class StudyStatus(BaseModel):
    """A study as it is now; numbers of models."""

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
    failures: int
    report: ReportSeen | None
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

    trials: Trials | None = Field(None, description="Models to have in all; more than now: grow.")
    device: Device | None = Field(None, description="Which workers train; as before, or a GPU's.")
    stack: Stack | None = Field(None, description="Networks that a worker trains at once.")


class Growth(_Asked):
    """How a study of the store is to go on."""


class Submission(_Asked):
    """A study to be trained: the tables of a study file, or the name of one that ships."""

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
        None, description="source: 'sklearn:…', or 'stored:SHA256' of data that are in the store."
    )
    training: dict[str, Any] = {}
    subsets: dict[str, Any] = {}


class Submitted(BaseModel):
    """What became of it: how many trials are wanted, and shards were enqueued."""

    id: str
    trials: int
    enqueued: int


class Cancelled(BaseModel):
    """How many shards were under way and are not any more."""

    id: str
    stopped: int


class Retried(BaseModel):
    """How many shards were enqueued again."""

    id: str
    enqueued: int


class Failures(BaseModel):
    """Attempts that failed, those that stopped something first; ``total`` counts all of them."""

    total: int
    items: list[Failure]


class Shards(BaseModel):
    """The shards that workers stored last, the latest first."""

    items: list[Stored]


class Workers(BaseModel):
    """Who is there, and how many tasks wait for each kind of device."""

    workers: list[Presence]
    aggregators: list[Presence]
    queues: dict[str, int]


class DatasetStored(BaseModel):
    """Data that are in the store; ``source = "stored:SHA256"`` names them."""

    sha256: str
    source: str
    kind: str
    examples: int
    test_examples: int
    classes: int


class Score(BaseModel):
    """What is known of one training example; null: cannot be estimated."""

    model_config = ConfigDict(extra="allow")

    index: int
    label: int
    memorization: float | None
    standard_error: float | None
    ci_low: float | None
    ci_high: float | None


class Pair(BaseModel):
    """A training and a test example, and the influence of the one on the other."""

    model_config = ConfigDict(extra="allow")

    train_index: int
    test_index: int
    influence: float
    standard_error: float | None
    memorization: float | None


class _Page(BaseModel):
    id: str
    models: int = Field(description="Of which the report was made.")
    total: int
    offset: int
    limit: int
    links: dict[str, str]


class Scores(_Page):
    """Rows of the table of scores."""

    items: list[Score]


class Pairs(_Page):
    """Rows of the table of high-influence pairs."""

    items: list[Pair]


class InfluenceOfOne(BaseModel):
    """The strongest pairs of one example; ``note`` says why there are none."""

    id: str
    models: int
    items: list[Pair]
    note: str | None


class Health(BaseModel):
    """Whether the dashboard sees what it is to show."""

    status: Literal["ok", "trouble"]
    detail: str | None
