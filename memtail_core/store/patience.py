"""Try again while a server is unreachable, with growing pauses, for a limited time."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST = 0.1
_LONGEST = 15.0


def patiently(attempt: Callable[[], T], passing: Callable[[Exception], bool], seconds: float) -> T:
    """Return the result of ``attempt``; if it fails in a ``passing`` way, try again.

    The seconds count from the first failure, so that a long transfer has as many as a short one.
    The last attempt is made when they are over. Pauses double, and are shortened at random so that
    not all clients of a lost server return at once.
    """
    until, pause = None, _FIRST
    while True:
        try:
            return attempt()
        except Exception as error:
            now = time.monotonic()
            until = now + seconds if until is None else until
            if now >= until or not passing(error):
                raise
        time.sleep(min(pause * random.uniform(0.5, 1), until - now))
        pause = min(2 * pause, _LONGEST)
