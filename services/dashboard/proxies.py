"""A proxy in front of the dashboard: the path below which it serves, and the headers it sets.

Forwarded headers say who the client is and how it connected. Anyone can write them, so only
those from the addresses in MEMTAIL_DASHBOARD_PROXIES count (uvicorn's ``ProxyHeadersMiddleware``).
"""

import ipaddress
import re

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from memtail_core.errors import StudyError
from memtail_core.settings import Settings

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_OWN = ("about", "api", "healthz", "metrics", "static", "studies", "submit", "workers")
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


def prefix_of(settings: Settings) -> str:
    """The path below which a proxy serves the dashboard, ``/memtail``; empty for the root.

    Raises:
        StudyError: it is no path, or the dashboard itself has such paths.
    """
    prefix = settings.dashboard_prefix.rstrip("/")
    parts = prefix.split("/")
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & {*parts}:
        raise StudyError(
            "MEMTAIL_DASHBOARD_PREFIX is not a path: write for example /memtail, with letters, "
            "digits, '-', '.', '_' and '~'"
        )
    if prefix and parts[1] in _OWN:
        raise StudyError(
            f"MEMTAIL_DASHBOARD_PREFIX begins with /{parts[1]}, which is a path of the dashboard "
            "itself: choose another"
        )
    return prefix


def proxies_of(settings: Settings) -> list[str]:
    """The addresses and networks of the proxies whose headers count.

    Raises:
        StudyError: one of them is neither.
    """
    proxies = [each.strip() for each in settings.dashboard_proxies.split(",") if each.strip()]
    for each in proxies:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise StudyError(
                f"MEMTAIL_DASHBOARD_PROXIES names '{each}', which is neither an address nor a "
                "network: write for example 127.0.0.1 or 172.18.0.0/16"
            ) from None
    return proxies


def is_expected(settings: Settings) -> bool:
    """Whether the settings say that a proxy is in front."""
    return bool(settings.dashboard_proxies.strip() or settings.dashboard_prefix.strip("/ "))


def came_through_one(request: Request) -> bool:
    """Whether a proxy passed the request on and says so, named or not."""
    return any(name in request.headers for name in (*_FORWARDED, "forwarded", "via"))


class ForwardedHost:
    """Takes the host that a named proxy was asked for as the host of the request."""

    def __init__(self, app: ASGIApp, proxies: list[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(each) for each in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        host = Headers(scope=scope).get("x-forwarded-host") if scope["type"] == "http" else None
        if host and self._is_named(scope):
            scope = {**scope, "headers": list(scope["headers"])}
            MutableHeaders(scope=scope)["host"] = host.rpartition(",")[2].strip()
        await self._app(scope, receive, send)

    def _is_named(self, scope: Scope) -> bool:
        try:
            address = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)


class Prefix:
    """Serves below a prefix, whether or not the proxy removes it from the paths that it asks for.

    Every path that the application sees begins with it, as ASGI wants of a ``root_path``.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http" and self._prefix:
            path = scope["path"]
            if path != self._prefix and not path.startswith(f"{self._prefix}/"):
                path = self._prefix + path
            scope = {**scope, "root_path": self._prefix, "path": path}
        await self._app(scope, receive, send)
