"""Datasets that clients upload: a few at a time, each checked in its own process, then stored."""

import asyncio
from typing import Any

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from memtail_core import catalogue
from memtail_core.errors import DatasetError
from memtail_core.store import ObjectStore
from services.dashboard.abandoned import GONE, unless_abandoned
from services.dashboard.readers import isolation
from services.dashboard.readers.dataset import NO_NPZ, is_archive
from services.dashboard.readers.isolation import Limits

_AT_ONCE = 2


class Uploads:
    """Takes uploads for a store.

    Args:
        store: where the datasets go.
        most: bytes that one body may have, and its contents when unpacked.
        limits: of the process that reads one; by default they follow from ``most``.
    """

    def __init__(self, store: ObjectStore, most: int, limits: Limits | None = None) -> None:
        self._store, self._most = store, most
        self._limits = limits or Limits.of_data(most)
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def take(self, request: Request) -> dict[str, Any]:
        """Read the body, whose size was checked; return the stored dataset.

        Raises:
            HTTPException: 503, other uploads are running.
            DatasetError: no model can be trained on the data, or reading them takes too much.
        """
        if self._free.locked():
            raise HTTPException(503, "other uploads are running: try again", {"Retry-After": "5"})
        async with self._free:
            try:
                content = await request.body()
            except ClientDisconnect as error:
                raise HTTPException(GONE, "the client closed the connection") from error
            return await unless_abandoned(request, self._checked(content))

    async def _checked(self, content: bytes) -> dict[str, Any]:
        if not is_archive(content):  # which needs no process to be seen
            raise DatasetError(NO_NPZ)
        told, encoded = await isolation.dataset(content, self._most, self._limits)
        await run_in_threadpool(catalogue.put_encoded, self._store, told["sha256"], lambda: encoded)
        return told
