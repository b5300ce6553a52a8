"""Data that a client puts into the store: a few at once, each in memory, checked, then stored."""

import asyncio
from typing import Any

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.errors import DatasetError
from memtail_core.store import ObjectStore
from services.dashboard import admission

_AT_ONCE = 2


class Uploads:
    """Takes data for a store.

    Args:
        store: which.
        most: bytes of one body, and of what it unpacks to.
    """

    def __init__(self, store: ObjectStore, most: int) -> None:
        self._store, self._most = store, most
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def take(self, request: Request) -> dict[str, Any]:
        """Read the body, which is no larger than it may be; return what was stored.

        Raises:
            HTTPException: 503: others are sending.
            DatasetError: it is not what can be trained on.
        """
        if self._free.locked():
            raise HTTPException(503, "others are sending data: try again", {"Retry-After": "5"})
        async with self._free:
            content = await request.body()
            return await run_in_threadpool(self._put, content)

    def _put(self, content: bytes) -> dict[str, Any]:
        try:
            dataset: Dataset = admission.received(content, self._most)
        except MemoryError as error:
            raise DatasetError("the data do not fit in memory") from error
        catalogue.put_dataset(self._store, dataset)
        return {
            "sha256": dataset.sha256,
            "source": f"stored:{dataset.sha256}",
            "kind": dataset.modality.name,
            "examples": len(dataset.y_train),
            "test_examples": len(dataset.y_test),
            "classes": len(dataset.classes),
        }
