"""Secrets in ``.env`` that Docker Compose and memtail would read as different texts.

Both read the file, each in its own way: Compose replaces ``$word``, and neither agrees with the
other on a backslash in quotes. Redis then has another password than the one memtail gives.
"""

import re
from pathlib import Path

_SECRET = re.compile(r"\s*(?:export\s+)?(MEMTAIL_\w*(?:PASSWORD|KEY|TOKEN))\s*=\s*(.*?)\s*")
_IN_SINGLE = re.compile(r"'|\\(?=[\\']|$)")
_IN_DOUBLE = re.compile(r"[\"$\\]")
_BARE = re.compile(r"\$|^[\"'`]|(?<=\s)#")


def ambiguity(name: str, file: Path = Path(".env")) -> str | None:
    """What is ambiguous about a secret in ``.env``, for a message; None if nothing is.

    The sentence has the character, and not the secret.
    """
    return ambiguities(file).get(name)


def ambiguities(file: Path = Path(".env")) -> dict[str, str]:
    """The same for all secrets of the file, by name."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    secrets = (match for line in lines if (match := _SECRET.fullmatch(line)))
    sentences = ((each[1], _sentence(each[1], each[2])) for each in secrets)
    return {name: sentence for name, sentence in sentences if sentence}


def _sentence(name: str, value: str) -> str | None:
    is_quoted = len(value) > 1 and value[0] in ("'", '"') and value[-1] == value[0]
    quote = value[0] if is_quoted else ""
    rule = {"'": _IN_SINGLE, '"': _IN_DOUBLE, "": _BARE}[quote]
    found = rule.search(value[1:-1] if quote else value)
    if found is None:
        return None
    mend = "take another character" if quote == "'" else "put the value in single quotes"
    return (
        f"{name} in .env has the character {found[0]}, which docker compose and memtail read "
        f"differently: {mend}"
    )
