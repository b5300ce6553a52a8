"""What was made last is kept for the next who asks for it: so many bytes of it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The values used last, as long as all of them together have at most ``most`` bytes."""

    def __init__(self, most: int, size: Callable[[T], int]) -> None:
        self._most, self._size = most, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """The value, if it is still there."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Hashable, value: T) -> None:
        """Keep it; what was not asked for longest goes. One that is too large alone is not kept."""
        with self._lock:
            self._drop(key)
            if self._size(value) > self._most:
                return
            self._values[key] = value
            self._bytes += self._size(value)
            while self._bytes > self._most:
                self._drop(next(iter(self._values)))

    def _drop(self, key: Hashable) -> None:
        if key in self._values:
            self._bytes -= self._size(self._values.pop(key))
