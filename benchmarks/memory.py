"""Peak memory of processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_EVERY = 0.1  # seconds


@contextmanager
def watched() -> Iterator[list[int]]:
    """Measure child processes while the block runs; the only item is their peak bytes in total."""
    this, peak, done = psutil.Process(), [0], threading.Event()
    before = {child.pid for child in this.children(recursive=True)}

    def watch() -> None:
        while not done.wait(_EVERY):
            total = 0
            for child in this.children(recursive=True):
                if child.pid not in before:
                    with suppress(psutil.NoSuchProcess):
                        total += child.memory_info().rss
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def own_peak() -> int:
    """Peak bytes of this process (Linux; a child starts with the usage of its parent)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
