"""Chromium for the tests in a browser: the one on this machine, or Debian's package."""

import shutil

from tests.servers.fetching import installed

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """Its path; None where there is none and none can be installed."""
    return _found() or (_found() if installed("chromium") else None)


def _found() -> str | None:
    return next((path for path in map(shutil.which, _NAMES) if path), None)
