"""Run the command line in this process, and look at what a user would see."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main

Memtail = Callable[..., Result]


@pytest.fixture
def memtail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memtail:
    """Call ``memtail(…)`` in an empty folder; a crash fails the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEMTAIL_STORE", raising=False)

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    return call


def refused(result: Result) -> str:
    """Assert that a command was refused in one line with exit code 2; return the line."""
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, result.stderr
    assert result.stderr.splitlines()[-1] == lines[0]
    return lines[0]
