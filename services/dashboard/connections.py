"""Connections that hold a place for nothing: half-sent requests, idle clients, readers that stall.

uvicorn counts every connection, and answers 503 to all when there are too many. So a connection
without a request gives way to newer ones, a request has to arrive in time, and so has a response
to be taken.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_MOST = 2000  # connections, whatever the system allows
_OWN_FILES = 256  # open files that are no connections of clients


@dataclass(frozen=True)
class Places:
    """How many connections there may be.

    Attributes:
        connections: in all; more are answered 503.
        listeners: to events.
        idle: without a request; of more, the oldest are closed.
    """

    connections: int = _MOST
    listeners: int = _MOST // 2
    idle: int = _MOST // 4


@dataclass(frozen=True)
class Patience:
    """Seconds that a client has.

    Attributes:
        header: to send the header of a request.
        taking: to take some of a response before the connection is closed.
    """

    header: float = 15.0
    taking: float = 60.0


def places() -> Places:
    """The places that this process has: each takes an open file, whose number is limited."""
    connections = max(64, min(_MOST, _open_files() - _OWN_FILES))
    return Places(connections, connections // 2, connections // 4)


def protocol(places: Places, patience: Patience) -> type[H11Protocol]:
    """The protocol of one server."""

    class OfServer(_Bounded):
        most_idle, patient = places.idle, patience
        idle: ClassVar[OrderedDict[_Bounded, None]] = OrderedDict()

    return OfServer


class _Bounded(H11Protocol):
    """uvicorn's protocol for HTTP/1.1, with an end to every wait for the client."""

    most_idle: ClassVar[int]
    patient: ClassVar[Patience]
    idle: ClassVar[OrderedDict["_Bounded", None]]  # the one that waits longest first

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._header: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._settle()
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._settle()
        self._expect_header()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle.pop(self, None)
        _cancel(self._header)
        _cancel(self._taking)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        left = self.transport.get_write_buffer_size()
        self._taking = self.loop.call_later(self.patient.taking, self._check_taking, left)

    def resume_writing(self) -> None:
        _cancel(self._taking)
        super().resume_writing()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _settle(self) -> None:
        """Count the connection as idle or not; make room if too many are."""
        if self.transport.is_closing() or not self._is_idle:
            self.idle.pop(self, None)
            _cancel(self._header)
            self._header = None
        elif self not in self.idle:
            self.idle[self] = None
            if len(self.idle) > self.most_idle:
                self.idle.popitem(last=False)[0].transport.abort()

    def _expect_header(self) -> None:
        """Await the whole header, from when the client connects or begins another request."""
        if self._header is None and self in self.idle:
            self._header = self.loop.call_later(self.patient.header, self._close_late)

    def _close_late(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:  # else it is a spare connection, of a browser for example
            self.transport.write(_LATE)
        self.transport.close()

    def _check_taking(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:
            self.transport.abort()
        else:
            self._taking = self.loop.call_later(self.patient.taking, self._check_taking, left)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _open_files() -> int:
    """How many files this process may open, once it has asked for as many as it may."""
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows
        return _MOST + _OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _OWN_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
