"""``memtail dashboard``, as a user starts it on a folder of studies."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from cli.main import main
from memtail_core import catalogue
from memtail_core.store import FilesStore
from tests import programs
from tests.conftest import Trained
from tests.servers.process import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    """An environment without settings, but for one that has the cluster's dashboard open to all."""
    found = {k: v for k, v in os.environ.items() if not k.startswith("MEMTAIL_")}
    return found | {"PYTHONPATH": str(ROOT), "MEMTAIL_DASHBOARD_BIND": "0.0.0.0"}


def test_it_shows_a_folder_and_ends_with_ctrl_c(
    trained: Trained, tmp_path: Path, clean: dict[str, str]
) -> None:
    catalogue.register(FilesStore(tmp_path / "mine"), trained.study, trained.dataset, 40)
    port = free_port()
    arguments = ["dashboard", "--store", "mine", "--no-browser", "--port", str(port)]
    output = tmp_path / "output"
    process = programs.Program("cli.main", *arguments, output=output, env=clean, folder=tmp_path)
    try:
        html = _got(f"http://127.0.0.1:{port}/")
        assert f"/studies/{trained.study.id}" in html
        expected = f"http://127.0.0.1:{port} shows the studies in mine; Ctrl-C ends it\n"
        assert output.read_text() == expected
        others = [each[4][0] for each in socket.getaddrinfo(socket.gethostname(), port)]
        for address in {"127.0.0.2", *others} - {"127.0.0.1"}:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, port), timeout=5).close()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert not (tmp_path / "runs").exists()


def _got(address: str) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = httpx.get(address, trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            continue
        assert answer.status_code == 200, answer.text
        return answer.text


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["dashboard", "--store", str(tmp_path), "--port", str(port), "--no-browser"]
        ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 2
    assert ran.stderr == (
        f"error: port {port} of 127.0.0.1 is taken: give another with --port, or end what has it\n"
    )


def test_a_missing_extra_is_told_in_one_line(tmp_path: Path, clean: dict[str, str]) -> None:
    script = "import sys; sys.modules['fastapi'] = None; from cli.main import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", script, "dashboard", "--no-browser"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr == "error: the dashboard needs fastapi: pip install 'memtail[dashboard]'\n"


def test_every_option_has_its_help() -> None:
    said = CliRunner().invoke(main, ["dashboard", "--help"]).stdout
    for option in ("--store", "--port", "--no-browser"):
        assert option in said
    assert "MEMTAIL_DASHBOARD_PORT" in said
