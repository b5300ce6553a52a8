"""Connections to a bucket's server, with times after which it counts as away."""

from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_CONNECT = 5.0  # seconds for a server to take a connection
_ANSWER = 60.0  # and then to take or give the next bytes
_HASTY_ANSWER = 20.0  # likewise, for who is not patient
_PIECE = 1 << 18


def connections(patience: float) -> urllib3.PoolManager:
    """A pool for one store. It tries nothing again: that needs a new signature."""
    answer = _ANSWER if patience > _ANSWER else _HASTY_ANSWER
    timeout = urllib3.Timeout(connect=_CONNECT, read=answer)
    pool = urllib3.PoolManager(maxsize=32, retries=False, timeout=timeout)
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _EncryptedPool}
    return pool


class _Unhurried(HTTPConnection):
    """A connection whose body may take its time, as long as it moves.

    urllib3 sends a whole body within the time to connect, which many parts need more than.
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
    """Likewise."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Unhurried


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _UnhurriedEncrypted
