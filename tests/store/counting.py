"""A bucket in memory that counts requests as a server would: tests count them, not seconds."""

import hashlib
from collections import Counter
from collections.abc import Iterator

from memtail_core.store import Entry

PAGE = 1000  # keys


class CountingStore:
    """Objects in a dictionary; ``requests`` counts by kind, a page of a listing as one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()

    location = "s3://counting"

    def spent(self) -> Counter[str]:
        """The requests since the last call."""
        spent, self.requests = self.requests, Counter()
        return spent

    def put(self, key: str, content: bytes) -> None:
        self.requests["put"] += 1
        self.objects[key] = content

    def add(self, key: str, content: bytes) -> bool:
        self.requests["put"] += 1
        return self.objects.setdefault(key, content) is content

    def get(self, key: str) -> bytes:
        self.requests["get"] += 1
        return self.objects[key]

    def exists(self, key: str) -> bool:
        self.requests["head"] += 1
        return key in self.objects

    def digest(self, key: str) -> str:
        self.requests["head"] += 1
        return hashlib.sha256(self.objects[key]).hexdigest()

    def folders(self, prefix: str, start: str = "") -> Iterator[str]:
        begin = prefix + start
        keys = [key.removeprefix(prefix) for key in self.objects if key.startswith(begin)]
        names = sorted({key.partition("/")[0] for key in keys if "/" in key})
        self.requests["list"] += max(1, -(-len(names) // PAGE))
        yield from names

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        return (entry.key for entry in self.entries(prefix, after))

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        for first in range(0, max(1, len(keys)), PAGE):
            self.requests["list"] += 1
            for key in keys[first : first + PAGE]:
                if key in self.objects:
                    yield Entry(key, hashlib.sha256(self.objects[key]).hexdigest())

    def delete(self, key: str) -> None:
        self.requests["delete"] += 1
        self.objects.pop(key, None)

    def move(self, key: str, to: str) -> None:
        self.requests["put"] += 1
        self.objects[to] = self.objects.pop(key)
