"""The limits of a process that reads what a client sent, and the form of its answer.

The answer is a line of JSON, ``{"read": …}`` or ``{"error": …}``, and then bytes.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

TOO_LARGE = "reading it takes more memory than the dashboard gives it"


class UnreadableError(Exception):
    """What was sent cannot be read; the message says why."""


def answer(read: Callable[[bytes], tuple[Any, bytes]]) -> None:
    """Read the standard input within the limits that the arguments name, and print the answer."""
    seconds, extra_bytes = int(sys.argv[1]), int(sys.argv[2])
    limit(seconds, extra_bytes)
    rest = b""
    try:
        value, rest = read(sys.stdin.buffer.read())
        head = json.dumps({"read": value})
    except UnreadableError as error:
        head = json.dumps({"error": str(error)})
    except MemoryError:
        head = json.dumps({"error": TOO_LARGE})
    sys.stdout.buffer.write(head.encode() + b"\n" + rest)


def limit(seconds: int, extra_bytes: int) -> None:
    """Let this process use so many more seconds of a processor, and bytes of memory."""
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows: its parent ends it when it is late
        return
    used = os.times()
    most = int(used.user + used.system) + 1 + seconds
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
    with suppress(ValueError, OSError):  # which has no such file, or does not limit memory
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        total = pages * resource.getpagesize() + extra_bytes
        resource.setrlimit(resource.RLIMIT_AS, (total, total))
