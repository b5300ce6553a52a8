"""Equations, ``$…$`` and ``$$…$$``, become MathML: browsers draw it without a script.

Only on pages that say ``math: true`` at their head, since a dollar means something else elsewhere.
"""

import re
from typing import Any

_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"\$([^$\n]+?)\$")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Convert the equations of one page."""
    return converted(markdown) if page.meta.get("math") else markdown


def converted(markdown: str) -> str:
    """Convert the equations of a text, but not those in code."""
    from latex2mathml.converter import convert

    def display(match: re.Match[str]) -> str:
        return f"\n{convert(match[1].strip(), display='block')}\n"

    def inline(match: re.Match[str]) -> str:
        return f"<span>{convert(match[1].strip())}</span>"  # a line may begin with it

    parts = _CODE.split(markdown)
    for i in range(0, len(parts), 2):  # the others are code
        parts[i] = _INLINE.sub(inline, _DISPLAY.sub(display, parts[i]))
    return "".join(parts)
