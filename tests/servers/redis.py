"""A Redis server, however it can be had, with a password."""

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.fetching import image, libraries, unpacked_redis
from tests.servers.process import ServerProcess, free_port, running

_IMAGE = "redis:7-bookworm"


@dataclass(frozen=True)
class RedisServer:
    """A running server. One that the environment names cannot be stopped: it has no process."""

    url: str
    """With the password, database 0."""
    origin: str
    """Where it was found, for people."""
    process: ServerProcess | None = None

    @property
    def password(self) -> str:
        return urlsplit(self.url).password or ""

    @property
    def url_without_password(self) -> str:
        url = urlsplit(self.url)
        return url._replace(netloc=f"{url.hostname}:{url.port}").geturl()

    def stop(self) -> None:
        self._own.stop()

    def start(self, *, empty: bool = False) -> None:
        self._own.start(empty=empty)

    def freeze(self) -> None:
        self._own.freeze()

    def thaw(self) -> None:
        self._own.thaw()

    @property
    def _own(self) -> ServerProcess:
        assert self.process is not None, "the server that the environment names is not ours"
        return self.process


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis server; what it has it writes to disk at once, so that it can come back."""
    named = os.environ.get("MEMTAIL_TEST_REDIS_URL")
    if named:
        yield RedisServer(named, named.rpartition("@")[2])
        return
    with (
        tempfile.TemporaryDirectory(prefix="memtail-redis-") as folder,
        running(lambda: _redis(Path(folder) / "data")) as server,
    ):
        yield server


def _redis(folder: Path) -> RedisServer:
    port, password = free_port(), secrets.token_hex(16)
    rules = ["--requirepass", password, "--appendonly", "yes", "--appendfsync", "always"]
    container, environment = None, {}
    program = shutil.which("redis-server")
    if program is None and image(_IMAGE):
        container = f"memtail-redis-{secrets.token_hex(4)}"
        command = ["docker", "run", "--rm", "--name", container]
        command += ["--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{folder}:/data"]
        command += ["--publish", f"127.0.0.1:{port}:6379", _IMAGE, "redis-server"]
        command += ["--dir", "/data"]
    else:
        if program is None:
            unpacked = unpacked_redis()
            if unpacked is None:
                raise OSError("the tests need Redis: install redis-server, or start Docker")
            program, environment = str(unpacked), libraries(unpacked)
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = ServerProcess(
        [*command, *rules], folder, lambda: _answers(port, password), environment, container
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    return RedisServer(url, program or _IMAGE, process)


def _answers(port: int, password: str) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        answers = connection.makefile("rb")
        return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
