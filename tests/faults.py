"""A network that fails on demand: a TCP relay before a real server, with switches.

A client signs for the address it connects to, and the server accepts what is signed, so both take
the relay for the other. Turning a switch cuts the connections that are open.
"""

import contextlib
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, replace
from types import TracebackType

from tests.servers.process import free_port

_PIECE = 1 << 16
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing resets the connection


@dataclass
class _Fault:
    """What happens to connections; to as many as ``left``, or to all."""

    busy: bool = False
    cut_request: int | None = None
    cut_response: int | None = None
    delay: float = 0.0
    left: int | None = None


class Faults:
    """Relay to ``host:port`` of a server; use it as a context. Every switch replaces the last."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition("/")[2].rpartition(":")
        self._server = (host, int(port))
        self._fault = _Fault()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listening: socket.socket | None = None
        self.port = free_port()
        self.connections = 0
        """How many were made."""

    @property
    def address(self) -> str:
        """``127.0.0.1:port``, for the client."""
        return f"127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        """The same, for a client of HTTP."""
        return f"http://{self.address}"

    def heal(self) -> None:
        """Relay everything."""
        self._switch(_Fault())

    def refuse(self) -> None:
        """Refuse connections, as where no server runs."""
        self._switch(_Fault(), listen=False)

    def answer_503(self, times: int | None = None) -> None:
        """Answer that the service is unavailable."""
        self._switch(_Fault(busy=True, left=times))

    def cut_requests(self, after: int, times: int | None = None) -> None:
        """Cut connections when so many bytes, the headers too, have gone to the server."""
        self._switch(_Fault(cut_request=after, left=times))

    def cut_responses(self, after: int, times: int | None = None) -> None:
        """Cut connections when so many bytes, the headers too, have come from it."""
        self._switch(_Fault(cut_response=after, left=times))

    def delay(self, seconds: float) -> None:
        """Hold every piece of what the server sends for so long."""
        self._switch(_Fault(delay=seconds))

    def __enter__(self) -> "Faults":
        self._switch(_Fault())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.refuse()

    def _switch(self, fault: _Fault, *, listen: bool = True) -> None:
        with self._lock:
            self._fault = fault
            if not listen and self._listening is not None:
                with contextlib.suppress(OSError):
                    self._listening.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
                self._listening.close()
                self._listening = None
            if listen and self._listening is None:
                self._listening = socket.create_server(("127.0.0.1", self.port))
                threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()
            for connection in self._open:
                _cut(connection)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            fault = replace(self._fault)
            if self._fault.left is not None:
                fault = _Fault() if self._fault.left == 0 else fault
                self._fault.left = max(0, self._fault.left - 1)
            self._open.add(client)
        try:
            if fault.busy:
                _read_request(client)
                client.sendall(_BUSY)
            else:
                self._relay(client, fault)
        except OSError:
            pass  # either side went away
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _relay(self, client: socket.socket, fault: _Fault) -> None:
        with socket.create_connection(self._server) as server:
            up = threading.Thread(
                target=_pump, args=(client, server, fault.cut_request, 0.0), daemon=True
            )
            up.start()
            _pump(server, client, fault.cut_response, fault.delay)
            up.join()


def _pump(source: socket.socket, sink: socket.socket, cut_after: int | None, delay: float) -> None:
    """Carry bytes one way till the end, then tell both sides; cut both when they are enough."""
    carried = 0
    try:
        while piece := source.recv(_PIECE):
            time.sleep(delay)
            if cut_after is not None:
                piece = piece[: cut_after - carried]
            sink.sendall(piece)
            carried += len(piece)
            if carried == cut_after:
                for side in (source, sink):
                    _cut(side)
                return
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for side in (source, sink):
            _cut(side)


def _cut(side: socket.socket) -> None:
    """End a connection at once; its own thread closes it, which resets it."""
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        side.shutdown(socket.SHUT_RDWR)


def _read_request(client: socket.socket) -> None:
    """Read one request to its end: who is answered before may never see the answer."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = client.recv(_PIECE)
        if not piece:
            return
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (piece := client.recv(_PIECE)):
        missing -= len(piece)
