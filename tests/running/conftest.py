"""Training processes start as they do for users: these tests are about them."""

import pytest

from memtail_core.running import processes

_POOL = processes.pool


@pytest.fixture(autouse=True)
def _training_processes_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "pool", _POOL)
