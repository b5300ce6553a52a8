"""``python -m services.health worker|aggregator``: exit code 0 while it makes progress.

That a process runs proves nothing. A worker is healthy while its event loop turns, it is not idle
for long while shards wait, its shard does not take far longer than others of the study, and it
neither fails again and again nor leaves a study to others. An aggregator is healthy while it
completes its rounds.
"""

import socket
import sys
import time

import redis

from memtail_core.errors import MemtailError
from memtail_core.settings import settings as read_settings
from services import broker, last_errors, leases, pace, presence
from services.presence import Presence
from services.queue import queue_of

_IDLE = 60.0  # seconds a worker may be idle while shards wait
_LONGER = 10  # times as long as others is too long for a shard, and at least the next
_AT_LEAST = 600.0  # seconds
_OFTEN = 3  # failures in a row that are no accident


def main() -> None:
    """Print what is wrong, and exit 1 if anything is."""
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in ("worker", "aggregator"):
        print("usage: python -m services.health worker|aggregator", file=sys.stderr)
        sys.exit(2)
    settings = read_settings()
    try:
        with broker.reached(settings):
            client = broker.connect(settings)
            every = presence.running(client, "worker" if role == "worker" else "aggregator")
            here = [each for each in every if each.host == socket.gethostname()]
            wrong = [] if here else [f"no {role} on this host sends a heartbeat"]
            for each in here if role == "worker" else []:
                wrong += problems(client, each)
    except MemtailError as error:
        wrong = [str(error)]
    print("; ".join(wrong) or f"{role} is healthy")
    sys.exit(1 if wrong else 0)


def problems(client: "redis.Redis", worker: Presence) -> list[str]:
    """What keeps a worker from making progress, a phrase for each problem."""
    now, phrases = time.time(), []
    waiting = broker.queue_length(client, queue_of(worker.device))
    if waiting and worker.idle_since and now - worker.idle_since > _IDLE:
        phrases.append(f"idle for {now - worker.idle_since:.0f} s while {waiting} shards wait")
    for error in last_errors.current(client):
        if error.worker == worker.name and (error.is_aside or error.in_a_row >= _OFTEN):
            phrases.append(error.sentence)
    for lease in leases.current(client):
        usual = pace.recent(client, lease.study) if lease.worker == worker.name else None
        if usual and now - lease.since > max(_AT_LEAST, _LONGER * usual.shard_seconds):
            phrases.append(
                f"at {lease.shard} of {lease.study} for {now - lease.since:.0f} s; others take "
                f"{usual.shard_seconds:.0f} s"
            )
    return phrases


if __name__ == "__main__":
    main()
