"""What a worker does when it is told to stop: finish its shard, or give it back in time.

Celery's warm shutdown waits for a shard as long as it takes, with its event loop at rest, and
its soft shutdown waits the whole time even for one that ends sooner. So SIGTERM only stops the
worker from taking shards; once it has none, Celery stops it, and when the time is over, Celery
puts what is left back into the queue.
"""

import os
import signal
import threading
import time
from typing import Any

from celery.signals import worker_ready
from celery.worker import state

_LOOK = 0.2  # seconds


def on_sigterm(grace: float) -> None:
    """Drain a worker that is told to stop, for at most ``grace`` seconds."""

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def ready(sender: Any, **_: Any) -> None:
        celerys = signal.getsignal(signal.SIGTERM)

        def watch() -> None:
            until = time.monotonic() + grace
            _take_nothing(sender)
            while state.reserved_requests and time.monotonic() < until:
                time.sleep(_LOOK)
                _take_nothing(sender)
            os.kill(os.getpid(), signal.SIGQUIT if state.reserved_requests else signal.SIGTERM)

        def drain(*_: Any) -> None:
            signal.signal(signal.SIGTERM, celerys)
            # A thread, since the event loop rests while there is no connection.
            threading.Thread(target=watch, name="drain", daemon=True).start()

        signal.signal(signal.SIGTERM, drain)


def _take_nothing(consumer: Any) -> None:
    """Leave the queue alone; a connection made anew asks again whether it may take more."""
    if consumer.task_consumer is not None:
        consumer.task_consumer.channel.qos.can_consume = lambda: False
