"""A worker's signs of life, from Celery's event loop, and what it does when told to stop."""

import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import redis
from celery import bootsteps
from celery.signals import worker_shutting_down
from celery.worker import state

from memtail_core.settings import Settings
from services import broker, leases, presence
from services.presence import Presence

_shown: list[tuple["redis.Redis", Presence]] = []


def show(app: Any, settings: Settings, device: str) -> None:
    """Let the workers of ``app`` announce themselves, and give back their shard in time."""

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
            _shown.append((self._client, self._presence))

        def start(self, worker: Any) -> None:
            """Begin."""
            self._beat()
            worker.timer.call_repeatedly(presence.BEAT, self._beat)

        def _beat(self) -> None:
            idle_since = None if state.active_requests else self._presence.idle_since or time.time()
            self._presence = self._presence.model_copy(update={"idle_since": idle_since})
            with suppress(redis.RedisError):
                presence.announce(self._client, self._presence)

    app.steps["worker"].add(SignsOfLife)

    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def give_back_in_time(**_: Any) -> None:
        """Finish the shard in hand; if that takes too long, let Celery put it back."""
        timer = threading.Timer(settings.grace, os.kill, (os.getpid(), signal.SIGQUIT))
        timer.daemon = True
        timer.start()


def leave() -> None:
    """Say that the worker is gone, once its pool has ended: its shard is stored or given back.

    No step of Celery's is the place for it: they end before the pool does, or not at all when
    Celery is made to stop.
    """
    for client, shown in _shown:
        with suppress(redis.RedisError):
            presence.leave(client, shown)
            leases.give_back(client, shown.name)
