"""Datasets that clients upload: a few at a time, each read into memory, checked, then stored."""

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
    """Takes uploads for a store.

    Args:
        store: where the datasets go.
        most: bytes that one body may have, and its contents when unpacked.
    """

    def __init__(self, store: ObjectStore, most: int) -> None:
        self._store, self._most = store, most
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def take(self, request: Request) -> dict[str, Any]:
        """Read the body, whose size was checked; return the stored dataset.

        Raises:
            HTTPException: 503, other uploads are running.
            DatasetError: no model can be trained on the data.
        """
        if self._free.locked():
            raise HTTPException(503, "other uploads are running: try again", {"Retry-After": "5"})
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
