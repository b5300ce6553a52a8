"""The heartbeat of a worker, from Celery's event loop: a worker that hangs falls silent."""

import time
from contextlib import suppress
from typing import Any

import redis
from celery import bootsteps
from celery.worker import state

from memtail_core.settings import Settings
from services import broker, leases, presence
from services.presence import Presence


def start(app: Any, settings: Settings, worker: Presence) -> None:
    """Let the worker of ``app`` announce every few seconds that it runs, and whether it is idle."""

    class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
        """A step of the worker's start; it begins when there is an event loop."""

        requires = frozenset({"celery.worker.components:Timer"})

        def start(self, controller: Any) -> None:
            self._client, self._presence = broker.connect(settings), worker
            self._beat()
            controller.timer.call_repeatedly(presence.BEAT, self._beat)

        def _beat(self) -> None:
            idle_since = None if state.active_requests else self._presence.idle_since or time.time()
            self._presence = self._presence.model_copy(update={"idle_since": idle_since})
            with suppress(redis.RedisError):
                presence.announce(self._client, self._presence)

    app.steps["worker"].add(Heartbeat)


def stop(settings: Settings, worker: Presence) -> None:
    """Announce that the worker has stopped, and end its leases: its tasks are in the queue again.

    Call it when the worker's processes have ended; Celery's own steps end before, or not at all.
    """
    client = broker.connect(settings)
    with suppress(redis.RedisError):
        presence.leave(client, worker)
        mine = [lease for lease in leases.current(client) if lease.worker == worker.name]
        leases.give_back(client, mine)
