"""Charts are drawn once for all processes of a run of pytest.

Starting what draws (a JavaScript engine) takes a process two seconds, and the reports of most tests
show the same few charts. What is drawn depends on the chart alone, so that a copy is as good.
"""

import hashlib
import json
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import vl_convert

FOLDER = "MEMTAIL_TEST_DRAWN"
"""The environment variable that names the folder of copies; without it everything is drawn."""

_FUNCTIONS = ("vegalite_to_svg", "svg_to_png", "javascript_bundle")


def keep_in(folder: Path) -> None:
    """Keep what this process draws, and take what another has drawn."""
    folder.mkdir(exist_ok=True)
    for name in _FUNCTIONS:
        setattr(vl_convert, name, _once(getattr(vl_convert, name), folder))


def always(patch: pytest.MonkeyPatch) -> None:
    """Draw again, for tests of drawing itself."""
    for name in _FUNCTIONS:
        drawn = getattr(vl_convert, name)
        patch.setattr(vl_convert, name, getattr(drawn, "__wrapped__", drawn))


def _once(draw: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    @wraps(draw)
    def drawn(*arguments: Any, **options: Any) -> Any:
        asked = json.dumps([draw.__name__, arguments, options], sort_keys=True)
        kept = folder / hashlib.sha256(asked.encode()).hexdigest()
        if not kept.exists():
            made = draw(*arguments, **options)
            content = b"text" + made.encode() if isinstance(made, str) else b"data" + made
            half = kept.with_suffix(f".{os.getpid()}")
            half.write_bytes(content)
            half.replace(kept)
            return made
        content = kept.read_bytes()
        return content[4:].decode() if content[:4] == b"text" else content[4:]

    return drawn


if FOLDER in os.environ:
    keep_in(Path(os.environ[FOLDER]))
