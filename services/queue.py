"""The Celery app: one task for each shard, in one queue for each kind of device.

Every setting is here, with its reason. Messages are JSON: a pickle in the queue would be code that
anyone who reaches Redis could have run. Results never travel through Redis.
"""

import uuid
from typing import Annotated, Any

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES
from pydantic import Field, ValidationError

from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.settings import settings as read_settings
from memtail_core.study import ID, Study
from services import broker
from services.records import Attempt, Record

TASK = "memtail.train"
_MOST = 10**7  # trials: the names of shards have seven digits


def queue_of(device: str) -> str:
    """The queue of the shards for ``cpu`` or ``cuda`` (``cuda:1`` is a ``cuda``)."""
    return f"memtail.{device.partition(':')[0]}"


def configuration(settings: Settings) -> dict[str, Any]:
    """The settings of Celery."""
    url = broker.url(settings)
    return {
        "broker_url": url,
        "broker_use_ssl": broker.encryption(settings) or None,  # Celery would take any certificate
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a broker that cannot be reached comes back
        "broker_transport_options": {
            "visibility_timeout": settings.visibility_timeout,
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            "retry_on_timeout": True,
        },
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": queue_of("cpu"),
        # A task is acknowledged when its shard is stored: the task of a worker that dies is not.
        "task_acks_late": True,
        # A shard waits in the queue, where any worker can take it, and not in a busy worker.
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        # A shard is worth finishing without a broker: it counts once it is in the store.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": True,  # for Flower and Prometheus exporters
        "worker_hijack_root_logger": False,
    }


class ShardTask(Record):
    """What a task asks for: the trials [first, last) of a study, for the ``attempt``-th time."""

    study: Annotated[str, Field(pattern=f"^{ID}$")]
    first: Annotated[int, Field(ge=0, lt=_MOST)]
    last: Annotated[int, Field(gt=0, le=_MOST)]
    attempt: Attempt

    @classmethod
    def of(cls, *arguments: Any) -> "ShardTask | None":
        """Read the arguments of a task; None if nobody who enqueues shards has sent it."""
        try:
            return cls.model_validate(dict(zip(cls.model_fields, arguments, strict=True)))
        except (ValidationError, ValueError):
            return None

    @property
    def shard(self) -> Shard:
        """The shard."""
        return Shard(self.first, self.last)


# By its usual name, which is a part of messages; the channels drop what is no message.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "services.transport:Transport"))

app = Celery("memtail")
app.add_defaults(lambda: configuration(read_settings()))  # read when first used


def task_name(study: Study, shard: Shard) -> str:
    """The prefix of the ids of a shard's tasks."""
    return f"{study.id}/{shard.name}"


def enqueue(study: Study, shard: Shard, device: str, attempt: int = 1) -> None:
    """Enqueue a shard for workers with such a device; twice does no harm."""
    task = ShardTask(study=study.id, first=shard.first, last=shard.last, attempt=attempt)
    send(task, queue_of(device))


def send(task: ShardTask, queue: str) -> None:
    """Put a task at the end of a queue."""
    app.send_task(
        TASK,
        args=[task.study, task.first, task.last, task.attempt],
        queue=queue,
        task_id=f"{task.study}/{task.shard.name}/{uuid.uuid4().hex[:8]}",
    )
