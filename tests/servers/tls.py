"""TLS before any server: a relay that shows a certificate, and passes on what it decrypts."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CERTIFICATES = Path(__file__).parent / "certificates"
"""``here.pem`` for 127.0.0.1, ``elsewhere.pem`` for another name, both signed by authority.pem."""
AUTHORITY = CERTIFICATES / "authority.pem"


@contextmanager
def encrypted(port: int, certificate: str = "here") -> Iterator[int]:
    """Relay to a port of 127.0.0.1; yield the port on which it expects TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepting = threading.Thread(target=_accept, args=(listening, context, port), daemon=True)
        accepting.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
    accepting.join()


def _accept(listening: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with contextlib.suppress(OSError):  # it was closed
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_relay, args=(client, context, port), daemon=True).start()


def _relay(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with contextlib.suppress(OSError), client:
        client.settimeout(10)
        with (
            context.wrap_socket(client, server_side=True) as here,
            socket.create_connection(("127.0.0.1", port)) as there,
        ):
            here.settimeout(0.01)  # one thread alone may use it
            there.setblocking(False)
            while True:
                for source, sink in ((here, there), (there, here)):
                    try:
                        piece = source.recv(1 << 14)
                    except (TimeoutError, BlockingIOError):
                        continue
                    if not piece:
                        return
                    sink.sendall(piece)
