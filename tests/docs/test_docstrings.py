"""The examples in docstrings are true; tests/estimation has those of its room."""

import doctest
import importlib
from pathlib import Path

import pytest

import memtail_core as memtail
from tests.docs.blocks import ROOT


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


WITH_EXAMPLES = [
    module(path)
    for path in sorted((ROOT / "memtail_core").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8") and path.parent.name != "estimation"
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def test_public_functions_show_how_they_are_called() -> None:
    """Those that a reader calls with objects at hand; the others take what these return."""
    shown = {name for name in memtail.__all__ if ">>> " in (getattr(memtail, name).__doc__ or "")}
    assert {"from_arrays", "from_pandas", "from_torch", "memorization", "open_store"} <= shown
    assert {"train", "Spec"} <= shown
