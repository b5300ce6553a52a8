"""Every printable password works in compose's Redis; .env is checked for what is read in two ways.

https://github.com/docker/compose/issues/9661 (``pass__$85858`` in ``.env`` becomes ``pass__``),
https://github.com/bitnami/bitnami-docker-redis/issues/194 (a quote in the password: "Unbalanced
quotes in configuration line"), https://github.com/redis/redis/issues/10672 (quotes, a backslash).
"""

import os
import re
import signal
import string
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from dotenv import dotenv_values

from memtail_core import settings as settings_of
from memtail_core.settings import Settings
from services import broker
from tests.servers import redis_server
from tests.servers.process import die_with_parent, free_port
from tests.test_compose import TEXT

PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " é€"


@pytest.fixture
def path_of_redis() -> Iterator[dict[str, str]]:
    """The environment in which ``redis-server`` is found."""
    with redis_server() as server:
        assert server.process is not None
        program = Path(server.process.command[0])
        if program.name != "redis-server":
            pytest.fail("needs a redis-server of this machine")
        paths = f"{program.parent}:{os.environ['PATH']}"
        yield os.environ | server.process.environment | {"PATH": paths}


@pytest.mark.parametrize(
    "password", [PRINTABLE, '"', "\\", "a\\nb", '"" evil yes', "$(id)`id`", "'", "#", "end"]
)
def test_redis_of_compose_takes_any_password(
    path_of_redis: dict[str, str], tmp_path: Path, password: str
) -> None:
    script = re.search(r"- \|\n(.*?\n        end\n)", TEXT["docker-compose.yml"], re.DOTALL)
    assert script
    lines = re.sub("^        ", "", script[1], flags=re.MULTILINE).replace("$$", "$")
    port = free_port()
    lines = lines.replace("dir /data", f"dir {tmp_path}\nport {port}\nbind 127.0.0.1")
    server = subprocess.Popen(
        ["sh", "-c", lines],
        env=path_of_redis | {"REDISCLI_AUTH": password},
        stdout=subprocess.DEVNULL,
        preexec_fn=partial(die_with_parent, signal.SIGKILL),  # noqa: PLW1509
    )
    try:
        settings = Settings(broker_url=f"redis://127.0.0.1:{port}/0", broker_password=password)
        deadline = time.monotonic() + 60
        while True:
            try:
                with broker.reached(settings):
                    assert broker.connect(settings).ping()
                    break
            except broker.RefusedError:
                raise
            except broker.BrokerError:
                assert server.poll() is None, "it does not start"
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    ("written", "character"),
    [
        ("abc", None),
        ("a\\b", None),
        ('a"b', None),
        ("a#b", None),
        ("a b", None),
        ("a$b", "$"),
        ("a #b", "#"),
        ("'a$b\"c #d'", None),
        ("'a\\b'", None),
        ("'a\\\\b'", "\\"),
        ("'it\\'s'", "\\"),
        ('"a b"', None),
        ('"a\\b"', "\\"),
        ('"a$b"', "$"),
        ('"a\'b"', None),
        ("'ab", "'"),
    ],
)
def test_what_env_says_of_a_secret_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, character: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "MEMTAIL_BROKER_PASSWORD"
    Path(".env").write_text(f"# a comment\nMEMTAIL_STORE=$HOME\n{name}={written}\n")
    said = settings_of.ambiguity(name)
    if character is None:
        assert said is None
        quote = written[0] if written[0] in "'\"" else ""
        assert dotenv_values(".env")[name] == written.strip(quote or None)
        return
    assert said
    assert f"{name} in .env has the character {character}, which" in said
    assert len(said) < 160, "the secret itself is not said"


def test_a_password_that_is_refused_names_the_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("MEMTAIL_BROKER_PASSWORD=pa$word\n")
    with redis_server() as server:
        set_to = Settings(broker_url=server.url_without_password, broker_password="pa$word")
        refused = pytest.raises(broker.RefusedError, match=r"has the character \$")
        with refused as raised, broker.reached(set_to):
            broker.connect(set_to).ping()
    assert "pa$word" not in str(raised.value)


def test_without_the_file_nothing_is_ambiguous(tmp_path: Path) -> None:
    assert settings_of.ambiguities(tmp_path / ".env") == {}
    (tmp_path / ".env").write_bytes(b"\xff")
    assert settings_of.ambiguities(tmp_path / ".env") == {}
