"""Puts scripts and data into the page; only scripts named by their digest may run."""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup


def script(code: str) -> str:
    """Escape code for a ``<script>`` element, so that nothing in it ends or hides the element.

    ``</script`` and ``<!--`` occur only in strings and regular expressions, where the added
    backslash has no effect.
    """
    return code.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def as_json(value: Any) -> Markup:
    """Encode data for a ``<script type="application/json">`` element.

    Raises:
        ValueError: it holds NaN or an infinite number.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def policy(scripts: Iterable[str]) -> str:
    """The Content-Security-Policy of a page that may run these scripts and load nothing."""
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
