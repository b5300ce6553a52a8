"""An S3 server: MinIO's, however it can be had, or else rclone's."""

import os
import secrets
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.servers.fetching import MINIO_IMAGE, minio
from tests.servers.process import ServerProcess, free_port, running


@dataclass(frozen=True)
class S3Server:
    """A running server. One that the environment names cannot be stopped: it has no process."""

    endpoint: str
    access_key: str
    secret_key: str
    kind: Literal["minio", "rclone", "named"]
    origin: str
    """Where it was found, for people."""
    process: ServerProcess | None = None

    @property
    def folder(self) -> Path:
        """Where it keeps its data."""
        return self._own.folder

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
def s3_server() -> Iterator[S3Server]:
    """Run the best S3 server there is."""
    named = os.environ.get("MEMTAIL_TEST_S3_ENDPOINT")
    if named:
        access, secret = (os.environ[f"MEMTAIL_TEST_S3_{k}_KEY"] for k in ("ACCESS", "SECRET"))
        yield S3Server(named, access, secret, "named", named)
        return
    found = minio()
    if found is None:
        with rclone_server() as server:
            yield server
            return
    with (
        tempfile.TemporaryDirectory(prefix="memtail-minio-") as folder,
        running(lambda: _minio(Path(folder) / "data", found)) as server,
    ):
        yield server


@contextmanager
def rclone_server() -> Iterator[S3Server]:
    """Run the S3 server that comes with the tests' packages: another one, with fewer features."""
    with (
        tempfile.TemporaryDirectory(prefix="memtail-rclone-") as folder,
        running(lambda: _rclone(Path(folder))) as server,
    ):
        yield server


def _rclone(folder: Path) -> S3Server:
    program = Path(sys.executable).parent / "rclone"
    port, access, secret = free_port(), secrets.token_hex(8), secrets.token_hex(16)
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(program), "serve", "s3", f"{folder}/data", "--addr", f"127.0.0.1:{port}"]
    process = ServerProcess(
        command,
        folder / "data",
        lambda: _answers(endpoint),
        {"RCLONE_AUTH_KEY": f'"{access},{secret}"', "RCLONE_CONFIG": "/dev/null"},
    )
    return S3Server(endpoint, access, secret, "rclone", str(program), process)


def _minio(folder: Path, found: str) -> S3Server:
    port, access, secret = free_port(), secrets.token_hex(8), secrets.token_hex(16)
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        "MINIO_ROOT_USER": access,
        "MINIO_ROOT_PASSWORD": secret,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }
    container = None
    if found != MINIO_IMAGE:
        command = [found, "server", str(folder), "--address", f"127.0.0.1:{port}"]
    else:
        container = f"memtail-minio-{secrets.token_hex(4)}"
        command = ["docker", "run", "--rm", "--name", container]
        command += ["--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{folder}:/data"]
        command += ["--publish", f"127.0.0.1:{port}:9000"]
        for name in environment:
            command += ["--env", name]
        command += [MINIO_IMAGE, "server", "/data"]
    ready = f"{endpoint}/minio/health/ready"
    process = ServerProcess(command, folder, lambda: _answers(ready), environment, container)
    return S3Server(endpoint, access, secret, "minio", found, process)


def _answers(url: str) -> bool:
    """Whether a server there says anything; MinIO's ``ready`` has to say yes."""
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with directly.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        if error.code not in (400, 403):
            raise
        return True
