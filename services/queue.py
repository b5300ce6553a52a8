"""The Celery app: one task for each shard, in one queue for each kind of device.

Every setting is here, with its reason. Messages are JSON: a pickle in the queue would be code that
anyone who reaches Redis could have run. Results never travel through Redis.
"""

import ssl
import uuid
from typing import Any

from celery import Celery

from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.settings import settings as read_settings
from memtail_core.study import Study
from services import broker

TASK = "memtail.train"
_CERTIFIED = {"ssl_cert_reqs": ssl.CERT_REQUIRED}  # Celery itself would take any certificate


def queue_of(device: str) -> str:
    """The queue of the shards for ``cpu`` or ``cuda`` (``cuda:1`` is a ``cuda``)."""
    return f"memtail.{device.partition(':')[0]}"


def configuration(settings: Settings) -> dict[str, Any]:
    """The settings of Celery."""
    url = broker.url(settings)
    return {
        "broker_url": url,
        "broker_use_ssl": _CERTIFIED if url.startswith("rediss") else None,
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


app = Celery("memtail")
app.add_defaults(lambda: configuration(read_settings()))  # read when first used


def task_name(study: Study, shard: Shard) -> str:
    """The prefix of the ids of a shard's tasks."""
    return f"{study.id}/{shard.name}"


def enqueue(study: Study, shard: Shard, device: str, attempt: int = 1) -> None:
    """Enqueue a shard for workers with such a device; twice does no harm."""
    app.send_task(
        TASK,
        args=[study.id, shard.first, shard.last, attempt],
        queue=queue_of(device),
        task_id=f"{task_name(study, shard)}/{uuid.uuid4().hex[:8]}",
    )
