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


def show(app: Any, settings: Settings, worker: Presence) -> None:
    """Let the worker of ``app`` say every few seconds that it is there, and since when idle."""

    class SignsOfLife(bootsteps.StartStopStep):  # type: ignore[misc]
        """A step of the worker's start: begins when there is an event loop."""

        requires = frozenset({"celery.worker.components:Timer"})

        def start(self, controller: Any) -> None:
            self._client, self._said = broker.connect(settings), worker
            self._beat()
            controller.timer.call_repeatedly(presence.BEAT, self._beat)

        def _beat(self) -> None:
            idle_since = None if state.active_requests else self._said.idle_since or time.time()
            self._said = self._said.model_copy(update={"idle_since": idle_since})
            with suppress(redis.RedisError):
                presence.announce(self._client, self._said)

    app.steps["worker"].add(SignsOfLife)


def leave(settings: Settings, worker: Presence) -> None:
    """Say that the worker is gone and end its leases: what it did not finish is in the queue again.

    To be called when its processes have ended; Celery's own steps end before, or not at all.
    """
    client = broker.connect(settings)
    with suppress(redis.RedisError):
        presence.leave(client, worker)
        mine = [lease for lease in leases.current(client) if lease.worker == worker.name]
        leases.give_back(client, mine)
