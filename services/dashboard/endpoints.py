"""The endpoints of the API, from its OpenAPI document, for the page that lists them."""

from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "delete")


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes:
        method, path: as in ``GET /api/v1/studies``.
        summary: what it does, in a few words.
        description: what it does, in a sentence; may be empty.
        parameters: the query parameters with their descriptions.
        needs_token: whether it changes something, which needs the token.
    """

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[tuple[str, str], ...]
    needs_token: bool


def groups(document: dict[str, Any]) -> list[tuple[str, list[Endpoint]]]:
    """The endpoints by tag, in the order of the document."""
    by_tag: dict[str, list[Endpoint]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["more"])[0]
                by_tag.setdefault(tag, []).append(_endpoint(method, path, item[method]))
    return list(by_tag.items())


def _endpoint(method: str, path: str, spec: dict[str, Any]) -> Endpoint:
    return Endpoint(
        method.upper(),
        path,
        spec.get("summary", ""),
        spec.get("description", "").partition("\n")[0].replace("`", ""),
        tuple(
            (each["name"], each.get("description", ""))
            for each in spec.get("parameters", [])
            if each["in"] == "query"
        ),
        bool(spec.get("security")) and method != "get",
    )
