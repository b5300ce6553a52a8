"""nginx and Caddy in front of a server of the tests, set up as docs/dashboard.md says."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.fetching import libraries, unpacked_caddy, unpacked_nginx
from tests.servers.process import ServerProcess, free_port, running

_GUIDE = Path(__file__).parents[2] / "docs" / "dashboard.md"
_NAME = "lab.example.org"  # in the examples of the guide
_SERVER = "127.0.0.1:8080"


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: its address, and what runs."""

    address: str
    process: ServerProcess

    def start(self) -> None:
        self.process.start()

    def stop(self) -> None:
        self.process.stop()


@contextmanager
def nginx(server: str) -> Iterator[Proxy]:
    """Run nginx with TLS in front of ``server``, host:port."""
    with _in_front(_nginx, server) as proxy:
        yield proxy


@contextmanager
def caddy(server: str) -> Iterator[Proxy]:
    """Run Caddy with TLS in front of ``server``, host:port."""
    with _in_front(_caddy, server) as proxy:
        yield proxy


@contextmanager
def _in_front(make: Callable[[str, Path], Proxy], server: str) -> Iterator[Proxy]:
    with (
        tempfile.TemporaryDirectory(prefix="memtail-proxy-") as folder,
        running(partial(make, server, Path(folder) / "data")) as proxy,
    ):
        yield proxy


def _nginx(server: str, folder: Path) -> Proxy:
    program, environment = _program("nginx", unpacked_nginx)
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "localhost.pem", folder / "localhost.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    site = _example("nginx").replace(_SERVER, server).replace(_NAME, "localhost")
    site = site.replace("443", f"127.0.0.1:{port}")
    site = re.sub(r"ssl_certificate \S+;", f"ssl_certificate {certificate};", site)
    site = re.sub(r"ssl_certificate_key \S+;", f"ssl_certificate_key {key};", site)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    settings = folder / "nginx.conf"
    settings.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{own}\n{site}\n}}\n"
    )
    command = [program, "-p", str(folder), "-c", str(settings), "-e", "stderr"]
    return Proxy(f"https://localhost:{port}", _process(command, folder, port, environment))


def _caddy(server: str, folder: Path) -> Proxy:
    program, environment = _program("caddy", unpacked_caddy)
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    address = f"https://localhost:{port}"
    site = _example("caddyfile").replace(_SERVER, server)
    site = site.replace(f"{_NAME} {{", f"{address} {{\n    bind 127.0.0.1\n    tls internal")
    settings = folder / "Caddyfile"
    settings.write_text(
        "{\n admin off\n skip_install_trust\n auto_https disable_redirects\n}\n" + site
    )
    command = [program, "run", "--config", str(settings), "--adapter", "caddyfile"]
    own = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    return Proxy(address, _process(command, folder, port, environment | own))


def _example(language: str) -> str:
    """The example of the guide in that language."""
    found = re.search(rf"```{language}\n(.*?)```", _GUIDE.read_text(), re.DOTALL)
    assert found, f"docs/dashboard.md has no example for {language}"
    return found[1]


def _program(name: str, unpacked: Callable[[], Path | None]) -> tuple[str, dict[str, str]]:
    program = shutil.which(name)
    if program is not None:
        return program, {}
    path = unpacked()
    if path is None:
        raise OSError(f"the tests need {name}: install it")
    return str(path), libraries(path)


def _process(
    command: list[str], folder: Path, port: int, environment: dict[str, str]
) -> ServerProcess:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    def answers() -> bool:
        """Caddy listens before it has made its certificate: a handshake must succeed."""
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            trusting.wrap_socket(connection, server_hostname="localhost").close()
        return True

    clean = {"PATH": os.environ.get("PATH", "")}
    return ServerProcess(command, folder, answers, clean | environment)
