"""These tests are about drawing: nothing is taken from what another test has drawn."""

import pytest

from tests import drawn_once


@pytest.fixture(autouse=True)
def _everything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_once.always(monkeypatch)
