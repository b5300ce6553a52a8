"""Scripts and data inside the page: what may run is named by its digest, all else is only text."""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup


def script(code: str) -> str:
    """Code as it can stand in a ``<script>``: nothing in it ends the element, or hides its end.

    Both only ever occur in strings and regular expressions, where the backslash says nothing.
    """
    return code.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def as_json(value: Any) -> Markup:
    """Data for a ``<script type="application/json">``.

    Raises:
        ValueError: it holds a number that is none.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def policy(scripts: Iterable[str]) -> str:
    """The page's Content-Security-Policy: these scripts, and nothing from anywhere else."""
    allowed = " ".join(f"'sha256-{_digest(code)}'" for code in scripts)
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data: blob:",
            "style-src 'unsafe-inline'",
            f"script-src {allowed}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _digest(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
