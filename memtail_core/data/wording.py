"""Phrases for what a source says of its input: counts with a noun, the first few of many names."""

import re
from collections.abc import Iterable

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return text that can be stored, and printed on a terminal or in an SVG.

    A file's name need not be UTF-8, and may hold control characters.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    return _CONTROL.sub("\ufffd", encoded.decode("utf-8", "replace"))


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return "1 image", "2 images", "3,000 images".

    >>> counted(2, "exact copy", "exact copies")
    '2 exact copies'
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def some(names: Iterable[str], n: int = 3) -> str:
    """Name the first ``n``, and say how many more there are.

    >>> some(["a", "b", "c"], 2)
    "'a', 'b' and 1 more"
    """
    quoted = [f"'{name}'" for name in names]
    more = f" and {len(quoted) - n:,} more" if len(quoted) > n else ""
    return ", ".join(quoted[:n]) + more
