"""The endpoints of the API as its OpenAPI document has them, for a page that lists them."""

from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "delete")


@dataclass(frozen=True)
class Endpoint:
    """One of them.

    Attributes:
        method, path: as in ``GET /api/v1/studies``.
        summary: what it does, in a few words.
        description: more of it; may be empty.
        parameters: of the query, each with what it is.
        wants_token: whether it changes something, for which the token is needed.
    """

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[tuple[str, str], ...]
    wants_token: bool


def groups(document: dict[str, Any]) -> list[tuple[str, list[Endpoint]]]:
    """The endpoints by tag, in the order of the document."""
    found: dict[str, list[Endpoint]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["more"])[0]
                found.setdefault(tag, []).append(_endpoint(method, path, item[method]))
    return list(found.items())


def _endpoint(method: str, path: str, said: dict[str, Any]) -> Endpoint:
    return Endpoint(
        method.upper(),
        path,
        said.get("summary", ""),
        said.get("description", "").partition("\n")[0].replace("`", ""),
        tuple(
            (each["name"], each.get("description", ""))
            for each in said.get("parameters", [])
            if each["in"] == "query"
        ),
        bool(said.get("security")) and method != "get",
    )
