"""``python -m services.dashboard.readers.study_text``: a study file, TOML or JSON, as tables."""

import json
import tomllib
from typing import Any

from services.dashboard.readers.limits import UnreadableError, answer


def read(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The tables in the text.

    Raises:
        UnreadableError: it is neither TOML nor JSON, or has a number that no study has.
    """
    try:
        text = content.decode()
        tables = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        json.dumps(tables, default=str)  # what cannot be written cannot be answered either
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        if "digits" in reason:  # which Python says in its own words
            raise UnreadableError("the study file has an integer of thousands of digits") from error
        raise UnreadableError(f"the study file is neither TOML nor JSON: {reason}") from error
    return json.loads(json.dumps(tables, default=str)), b""


if __name__ == "__main__":
    answer(read)
