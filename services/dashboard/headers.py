"""The security headers of every response, and the host names that the dashboard answers to.

A page of the dashboard loads nothing from elsewhere, runs no inline script, and cannot be framed.
The dashboard refuses every host name but its own: another site could let its name resolve to this
address, and its scripts could then read what a browser on this network may (DNS rebinding).
"""

import ipaddress
from urllib.parse import urlsplit

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memtail_core.settings import Settings

CSP = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_EVERYWHERE = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds the headers to every response that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _EVERYWHERE.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class KnownHosts:
    """Answers only to the dashboard's own host names, and to addresses: rebinding needs a name.

    ``/healthz`` answers to any: who probes it often sends another name or none.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        bind = settings.dashboard_bind.strip("[]").lower()
        further = (each.strip().lower() for each in settings.dashboard_hosts.split(","))
        self._names = {"localhost", bind, *further} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http" and not (
            self._is_known(Headers(scope=scope).get("host", ""))
            or get_route_path(scope) == "/healthz"
        ):
            detail = "the dashboard does not answer to this host name: set MEMTAIL_DASHBOARD_HOSTS"
            await JSONResponse({"detail": detail}, 400)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
