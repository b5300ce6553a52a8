"""Limits on requests: the size of a body, its time, and the number of changes per minute."""

import asyncio
import time
from dataclasses import dataclass

from fastapi import HTTPException
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 256 * 2**10  # of a body; of a dataset MEMTAIL_DASHBOARD_MOST_BYTES
EACH_MINUTE = 30  # changes that one client may ask for
IN_ALL = 120  # changes that all clients together may ask for


BODY_SECONDS = 20.0  # for a body, and
LEAST_RATE = 16 * 2**10  # bytes that have to arrive in each further second


class Bodies:
    """Refuses a body that is too large, by its Content-Length or once so much came, or too slow."""

    def __init__(self, app: ASGIApp, datasets_at: str, most_of_dataset: int) -> None:
        self._app, self._datasets_at, self._most_of_dataset = app, datasets_at, most_of_dataset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_dataset = get_route_path(scope) == self._datasets_at
        most = self._most_of_dataset if is_dataset else MOST_BYTES
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18 or int(length) > most:
            answer = JSONResponse({"detail": _too_large(most)}, 413, {"Connection": "close"})
            await answer(scope, receive, send)
            return
        await self._app(scope, _Body(receive, most, time.monotonic()).receive, send)


@dataclass
class _Body:
    """A body that arrives."""

    receive_more: Receive
    most: int
    begun: float
    n_read: int = 0
    is_whole: bool = False

    async def receive(self) -> Message:
        """Receive one message of the body; after the last, wait as long as it takes."""
        if self.is_whole:
            return await self.receive_more()
        due = self.begun + BODY_SECONDS + self.n_read / LEAST_RATE
        try:
            message = await asyncio.wait_for(self.receive_more(), due - time.monotonic())
        except TimeoutError:
            late = "the body did not arrive in time: send it at once, and faster"
            raise HTTPException(408, late, {"Connection": "close"}) from None
        self.n_read += len(message.get("body", b""))
        if self.n_read > self.most:
            raise HTTPException(413, _too_large(self.most), {"Connection": "close"})
        self.is_whole = not message.get("more_body", False)
        return message


def _too_large(most: int) -> str:
    return f"the body is too large: at most {most:,} bytes"


class Rates:
    """Counts the changes that each client asks for, in a moving window of one minute."""

    def __init__(self, each: int = EACH_MINUTE, in_all: int = IN_ALL) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._each, self._in_all = RateLimitItemPerMinute(each), RateLimitItemPerMinute(in_all)

    def hit(self, client: str) -> float | None:
        """Count a change; return the seconds the client has to wait, None if it may go on."""
        for limit, who in ((self._each, client), (self._in_all, "all")):
            if not self._limiter.hit(limit, who):
                return self._limiter.get_window_stats(limit, who).reset_time - time.time()
        return None
