"""Training processes that start as they do for users, for the tests that are about that."""

import pytest

from memtail_core.running import processes

_POOL = processes.pool


@pytest.fixture
def new_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start new training processes, not forks."""
    monkeypatch.setattr(processes, "pool", _POOL)
