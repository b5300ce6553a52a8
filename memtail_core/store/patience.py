"""Try again while a server is unreachable, with growing pauses, for a limited time."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST = 0.1
_LONGEST = 15.0
_SILENCE = 30.0


def patiently(
    attempt: Callable[[], T],
    passing: Callable[[Exception], bool],
    seconds: float,
    tell: Callable[[Exception, float], None] | None = None,
) -> T:
    """Return the result of ``attempt``; if it fails in a ``passing`` way, try again.

    The seconds count from the first failure, so that a long transfer has as many as a short one.
    The last attempt is made when they are over. Pauses double, and are shortened at random so that
    not all clients of a lost server return at once. ``tell`` is called with the failure and the
    seconds that are left, at once and then twice a minute, so that nobody waits without a word.
    """
    until, pause, told = None, _FIRST, -_SILENCE
    while True:
        try:
            return attempt()
        except Exception as error:
            now = time.monotonic()
            until = now + seconds if until is None else until
            if now >= until or not passing(error):
                raise
            if tell is not None and now >= told + _SILENCE:
                tell(error, until - now)
                told = now
        time.sleep(min(pause * random.uniform(0.5, 1), until - now))
        pause = min(2 * pause, _LONGEST)
