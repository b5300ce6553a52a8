"""JSON from a store is read in one place, whatever someone has put there.

``json.loads`` raises a RecursionError on deep nesting, which few expect:
https://github.com/python/cpython/issues/77108.
"""

import ast
from pathlib import Path

import pytest

from memtail_core.store.document import document

ROOT = Path(__file__).parents[2]
_OF_ITS_OWN = {  # what a client of the dashboard sends, which has bounds of its own
    "services/dashboard/study_file.py",
    "services/dashboard/readers/study_text.py",
    "services/dashboard/readers/isolation.py",
}


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"", b"NaN", b"9" * 5000, b"{} x"]
)
def test_what_is_no_document_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        document(content)


def test_a_document_is_what_json_says() -> None:
    assert document(b'{"a": [1, 2.5, null, "\xc3\xa9"]}') == {"a": [1, 2.5, None, "é"]}


def test_nothing_else_parses_json_with_a_parser_that_recurses() -> None:
    rooms = [
        path
        for room in ("memtail_core", "services", "cli")
        for path in ROOT.glob(f"{room}/**/*.py")
    ]
    calls = {
        str(path.relative_to(ROOT))
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("loads", "load")
        and isinstance(node.value, ast.Name)
        and node.value.id == "json"
    }
    assert calls <= _OF_ITS_OWN
