"""JSON from a store, read so that nothing anyone has put there does more than not be read."""

from typing import Any

from pydantic_core import from_json


def document(content: bytes | str) -> Any:
    """Parse a JSON document. NaN and Infinity, which JSON does not have, are refused.

    Raises:
        ValueError: it is no JSON, no UTF-8, or nested too deep (``json.loads`` would raise a
            RecursionError).
    """
    return from_json(content, allow_inf_nan=False)
