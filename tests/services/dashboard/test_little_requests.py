"""Little requests that would cost much: they are refused or ended, and nobody else waits."""

import io
import json
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from pydantic import SecretStr

from memtail_core.data import Dataset
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard import limits
from services.dashboard.connections import Patience, Places
from services.dashboard.dashboard import Dashboard
from services.dashboard.monitor import Monitor
from services.dashboard.readers import dataset as dataset_reader
from services.dashboard.readers.isolation import Limits
from services.dashboard.uploads import Uploads
from tests.services.dashboard.conftest import serving
from tests.services.dashboard.still import TOKEN, client

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PLACES = Places(connections=40, listeners=3, idle=10)
QUADRATIC = ".".join("a" * 30_000) + " = 1"  # TOML that takes tomllib half a minute
LONG = 60.0  # seconds; far more than anything takes


@pytest.fixture
def opened(folder: FilesStore) -> Dashboard:
    settings = Settings(_env_file=None, dashboard_token=SecretStr(TOKEN), dashboard_look=0.05)
    dashboard = Dashboard(folder, None, settings, Monitor(folder, None, 0.05))
    vars(dashboard)["places"] = PLACES
    return dashboard


@pytest.fixture
def address(opened: Dashboard) -> Iterator[tuple[str, int]]:
    """Of a served dashboard that has few places, and little patience."""
    with serving(opened, Patience(header=1.0, taking=1.0)) as url:
        host, _, port = url.rpartition("/")[2].partition(":")
        yield host, int(port)


def connected(address: tuple[str, int], sent: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=LONG)
    connection.sendall(sent)
    return connection


def head(target: str, *more: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]).encode()


def status(connection: socket.socket) -> int:
    line = connection.makefile("rb").readline()
    return int(line.split()[1]) if line else 0


def readers() -> list[psutil.Process]:
    """The processes that read what clients sent to this one."""
    children = psutil.Process().children(recursive=True)
    return [each for each in children if "services.dashboard.readers" in " ".join(_command(each))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until(condition: Any) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_half_sent_requests_give_way(address: tuple[str, int]) -> None:
    """Four times as many as there are places: others are answered at once, and all are ended."""
    half = [
        connected(address, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") for _ in range(160)
    ]
    with connected(address, head("/healthz")) as another:
        assert status(another) == 200
    for each in half:
        each.settimeout(LONG)
        try:
            said = each.recv(100)
        except ConnectionResetError:
            said = b""
        assert said == b"" or b"408" in said
        each.close()


def test_clients_that_say_nothing_give_way(address: tuple[str, int]) -> None:
    silent = [connected(address, b"") for _ in range(160)]
    with connected(address, head("/healthz")) as another:
        assert status(another) == 200
    for each in silent:
        each.close()


def test_an_idle_connection_can_be_used_again(address: tuple[str, int]) -> None:
    with connected(address, head("/healthz")) as kept:
        answers = kept.makefile("rb")
        for _ in range(3):
            assert b"200" in answers.readline()
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)
            kept.sendall(head("/healthz"))


def test_a_body_has_to_arrive(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.3)
    begun = head("/api/v1/studies", f"Authorization: Bearer {TOKEN}", "Content-Length: 100")
    with connected(address, begun.replace(b"GET", b"POST") + b"{") as slow:
        answer = slow.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b"did not arrive in time" in answer


def test_a_response_has_to_be_taken(address: tuple[str, int], opened: Dashboard) -> None:
    """Else whoever asks and takes nothing holds a place for ever."""
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(LONG)
        lazy.connect(address)
        lazy.sendall(head("/api/v1/openapi.json") * 200)  # more than all buffers hold
        until(lambda: _ended(lazy))


def _ended(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"\r\n")
    except OSError:
        return True
    return False


def test_listeners_beyond_the_limit_are_told(address: tuple[str, int], opened: Dashboard) -> None:
    listening = [connected(address, head("/api/v1/events")) for _ in range(PLACES.listeners)]
    assert [status(each) for each in listening] == [200] * PLACES.listeners
    until(lambda: opened.monitor.n_listeners == PLACES.listeners)
    with connected(address, head("/api/v1/events", "Connection: close")) as another:
        said = another.makefile("rb").read().decode()
    assert said.startswith("HTTP/1.1 503")
    assert "retry-after: 30" in said
    assert f"{PLACES.listeners} clients listen already" in said
    for each in listening:
        each.close()


def test_reading_a_study_file_ends_with_its_client(opened: Dashboard) -> None:
    with serving(opened) as url, httpx.Client(base_url=url, headers=BEARER, timeout=LONG) as other:
        host, _, port = url.rpartition("/")[2].partition(":")
        body = json.dumps({"text": QUADRATIC}).encode()
        begun = head("/submit/read", f"Authorization: Bearer {TOKEN}",
                     "Content-Type: application/json", f"Content-Length: {len(body)}")  # fmt: skip
        with connected((host, int(port)), begun.replace(b"GET", b"POST") + body):
            until(readers)
        until(lambda: not readers())
        assert other.get("/healthz").status_code == 200


def test_a_study_file_that_takes_too_long_is_refused(folder: FilesStore) -> None:
    """A key of 30,000 dotted parts: tomllib's time is quadratic in them."""
    answer = client(folder).post("/submit/read", json={"text": QUADRATIC}, headers=BEARER)
    assert (answer.status_code, "reading it takes more" in answer.text) == (422, True)
    assert not readers()


def test_a_study_file_is_read_for_those_with_the_token_alone(folder: FilesStore) -> None:
    assert client(folder).post("/submit/read", json={"text": "[study]"}).status_code == 401


def npz(**changed: Any) -> bytes:
    x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{"x_train": x, "y_train": y, "x_test": x, "y_test": y, **changed})
    return buffer.getvalue()


@pytest.mark.parametrize("part", ["classes", "y_train", "train_names", "features"])
def test_millions_of_words_are_counted_before_they_are_read(part: str) -> None:
    content = npz(**{part: np.full(dataset_reader.MOST_WORDS + 1, "a", "<U1")})
    assert len(content) < 40_000
    with pytest.raises(dataset_reader.DatasetError, match="2,000,001 names and labels"):
        dataset_reader.received(content, 256 * 2**20)


def test_many_classes_are_checked_in_no_time(prepared: tuple[Study, Dataset]) -> None:
    """Each name was looked for among all others: 100,000 took a quarter of an hour."""
    names = [str(each) for each in range(100_000)]
    x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    assert len(Dataset.from_arrays(x, y, x, y, classes=names).classes) == 100_000
    with pytest.raises(dataset_reader.DatasetError, match="two classes are called '7'"):
        Dataset.from_arrays(x, y, x, y, classes=[*names, "7"])


@pytest.mark.parametrize("tight", [Limits(60, 4 * 2**20), Limits(0, 2**30)], ids=["memory", "time"])
def test_an_upload_that_takes_too_much_is_refused(
    opened: Dashboard, folder: FilesStore, tight: Limits
) -> None:
    before = list(folder.list(""))
    x = np.zeros((300_000, 20), np.float32)
    content = npz(x_train=x, y_train=np.arange(len(x)) % 2)
    vars(opened)["uploads"] = Uploads(folder, 100 * 2**20, tight)
    with serving(opened) as url:
        put = httpx.put(f"{url}/api/v1/datasets", content=content, headers=BEARER, timeout=LONG)
    assert (put.status_code, "memory" in put.json()["detail"]) == (422, True), put.text
    assert list(folder.list("")) == before
    assert not readers()


def test_the_process_that_reads_has_no_secret(
    folder: FilesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.dashboard.readers import isolation

    monkeypatch.setenv("MEMTAIL_S3_SECRET_KEY", "hush")
    assert "hush" not in isolation._environment().values()
    assert os.environ["MEMTAIL_S3_SECRET_KEY"] == "hush"


def test_a_filter_of_the_list_is_short(folder: FilesStore) -> None:
    """Each of its words is looked for in each study: 60 kB of them cost seconds."""
    assert client(folder).get("/", params={"name": "a " * 150}).status_code == 422
    assert client(folder).get("/", params={"name": "digits mlp"}).status_code == 200
