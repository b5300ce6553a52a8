"""Work for a client that may leave before it is done."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from fastapi import HTTPException, Request

T = TypeVar("T")
GONE = 499  # nginx's number for a client that has closed the connection


async def unless_abandoned(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await ``work``, and cancel it as soon as the client is gone. Read the body before.

    Raises:
        HTTPException: 499, which nobody receives: the client is gone.
    """
    results: list[T] = []
    error: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_gone, request, group.cancel_scope)
        try:
            results.append(await work)
        except Exception as caught:  # raised below: a task group would wrap it
            error = caught
        group.cancel_scope.cancel()
    if error is not None:
        raise error
    if not results:
        raise HTTPException(GONE, "the client closed the connection")
    return results[0]


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
