"""Celery's transport for Redis, which drops what is no message instead of ending the worker."""

from typing import Any

from celery.utils.log import get_task_logger
from kombu.transport import redis

log = get_task_logger(__name__)

# What kombu raises on bytes that are no message: no UTF-8, no JSON, nested too deep, other fields.
_NO_MESSAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Channel(redis.Channel):
    """Takes messages from lists into which anyone with the password of Redis can write."""

    def _brpop_read(self, **options: Any) -> Any:
        """Deliver the next message. A damaged one is gone: the aggregator enqueues its shard."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except _NO_MESSAGE as error:
            log.warning("dropped an entry of the queue that is no message: %s", error)
            return True


class Transport(redis.Transport):
    """The transport with these channels."""

    Channel = Channel
