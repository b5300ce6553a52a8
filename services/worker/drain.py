"""Drains a worker that is told to stop: it finishes its shard, or gives it back in time.

The warm shutdown of Celery waits for a shard as long as it takes, without an event loop. Its soft
shutdown always waits the whole time. So SIGTERM only stops the worker from taking shards. Once it
has none, Celery stops it; when the time is over, Celery puts what is left back into the queue.
"""

import os
import signal
import threading
import time
from typing import Any

from celery.signals import worker_ready
from celery.worker import state

_EVERY = 0.2  # seconds between two looks at what is left


def on_sigterm(grace: float) -> None:
    """Drain a worker that is told to stop, for at most ``grace`` seconds."""

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def ready(sender: Any, **_: Any) -> None:
        celerys = signal.getsignal(signal.SIGTERM)

        def watch() -> None:
            until = time.monotonic() + grace
            _take_nothing(sender)
            while state.reserved_requests and time.monotonic() < until:
                time.sleep(_EVERY)
                _take_nothing(sender)
            os.kill(os.getpid(), signal.SIGQUIT if state.reserved_requests else signal.SIGTERM)

        def drain(*_: Any) -> None:
            signal.signal(signal.SIGTERM, celerys)
            # In a thread: the event loop does not run while there is no connection.
            threading.Thread(target=watch, name="drain", daemon=True).start()

        signal.signal(signal.SIGTERM, drain)


def _take_nothing(consumer: Any) -> None:
    """Take no task; to be repeated, as a new connection would take tasks again."""
    if consumer.task_consumer is not None:
        consumer.task_consumer.channel.qos.can_consume = lambda: False
