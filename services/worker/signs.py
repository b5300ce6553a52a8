"""A worker's signs of life, from Celery's event loop: one that hangs falls silent."""

import time
from contextlib import suppress
from typing import Any

import redis
from celery import bootsteps
from celery.worker import state

from memtail_core.settings import Settings
from services import broker, leases, presence
from services.presence import Presence


def show(app: Any, settings: Settings, device: str) -> None:
    """Let the worker of ``app`` announce itself."""

    class SignsOfLife(bootsteps.StartStopStep):  # type: ignore[misc]
        """Says every few seconds that the event loop turns, and since when it is idle."""

        requires = frozenset({"celery.worker.components:Timer"})

        def __init__(self, worker: Any, **options: Any) -> None:
            super().__init__(worker, **options)
            self._client = broker.connect(settings)
            now = time.time()
            self._presence = Presence(
                name=worker.hostname,
                role="worker",
                device=device,
                store=settings.store,
                since=now,
                idle_since=now,
            )

        def start(self, worker: Any) -> None:
            """Begin."""
            self._beat()
            worker.timer.call_repeatedly(presence.BEAT, self._beat)

        def stop(self, worker: Any) -> None:
            """Leave; what was not finished has been given back to the queue."""
            del worker
            with suppress(redis.RedisError):
                presence.leave(self._client, self._presence)
                leases.give_back(self._client, self._presence.name)

        terminate = stop  # when it could not finish in time

        def _beat(self) -> None:
            idle_since = None if state.active_requests else self._presence.idle_since or time.time()
            self._presence = self._presence.model_copy(update={"idle_since": idle_since})
            with suppress(redis.RedisError):
                presence.announce(self._client, self._presence)

    app.steps["worker"].add(SignsOfLife)
