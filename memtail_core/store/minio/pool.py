"""Connections to a bucket's server, with timeouts."""

from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from memtail_core.settings import settings
from memtail_core.store import tls

_CONNECT = 5.0  # seconds for a server to accept a connection
_ANSWER = 60.0  # seconds for it to accept or send the next bytes
_HASTY_ANSWER = 20.0  # the same, for callers who are not patient
_PIECE = 1 << 18


def connections(patience: float) -> urllib3.PoolManager:
    """A pool for one store. It repeats no request: that needs a new signature."""
    answer = _ANSWER if patience > _ANSWER else _HASTY_ANSWER
    timeout = urllib3.Timeout(connect=_CONNECT, read=answer)
    pool = urllib3.PoolManager(
        maxsize=32, retries=False, timeout=timeout, ca_certs=tls.trusted(settings().ca_file)
    )
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _EncryptedPool}
    return pool


class _Unhurried(HTTPConnection):
    """A connection that may take long to send a body, as long as bytes move.

    urllib3 allows a whole body the time it takes to connect, which is too short for large parts.
    """

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_ANSWER)
        if not isinstance(data, bytes):
            super().send(data)
            return
        for start in range(0, len(data), _PIECE):
            super().send(memoryview(data)[start : start + _PIECE])


class _UnhurriedEncrypted(_Unhurried, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Unhurried


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _UnhurriedEncrypted
