"""What this process may use of the machine: cores and memory."""

from contextlib import suppress
from pathlib import Path

import loky
import psutil

_CONTAINER = (  # control groups of version 2 and 1: limit, use, and the part that is file cache
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory"),
        *("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ),
)


def usable_cores() -> int:
    """The cores this process may use: affinity and a container's quota count."""
    return int(loky.cpu_count())


def free_memory() -> int:
    """Bytes this process may still take: the machine's, and a container's limit."""
    free = int(psutil.virtual_memory().available)
    for folder, limit, used, cache in _CONTAINER:
        with suppress(OSError, ValueError):  # no such file, or "max": no limit
            most, taken = (int((folder / file).read_text()) for file in (limit, used))
            counts = (folder / "memory.stat").read_text().split()
            freeable = int(counts[counts.index(cache) + 1])  # cached files count as taken
            free = min(free, most - taken + freeable)
    return free
