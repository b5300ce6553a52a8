"""Who may read and who may write, by a token; and how often a client may write.

Without a configured token nobody can write. To write, a client sends the token as
``Authorization: Bearer …``. No browser sends that by itself, so no other page can make a browser
change anything (CSRF). To read, the password dialog of browsers will do (Basic, any name).
"""

import base64
import binascii
import hmac
import ipaddress
import math
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPBearer

from memtail_core.settings import Settings
from services.dashboard import proxies
from services.dashboard.dashboard import dashboard_of

bearer = HTTPBearer(auto_error=False, description="The token, MEMTAIL_DASHBOARD_TOKEN.")
_REALM = 'realm="memtail"'


def is_reading_free(settings: Settings) -> bool:
    """Whether whoever connects directly may read without a token.

    So it is on a loopback address, which nobody else reaches, unless a proxy lets others in; and
    where it is set so.
    """
    if settings.dashboard_open:
        return True
    return _is_loopback(settings.dashboard_bind) and not proxies.is_expected(settings)


def _is_local(request: Request) -> bool:
    """Whether nothing in the request says that it came from another machine.

    A proxy on this machine connects from a loopback address. Most of them say so in a header, or
    pass on a host name that is not of this machine.
    """
    try:
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return _is_loopback(name) and not proxies.came_through_one(request)


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


async def reader(request: Request) -> None:
    """Let a request pass that may read.

    Raises:
        HTTPException: 401 without the right token, 403 where one is needed and none is configured.
    """
    settings = dashboard_of(request).settings
    if settings.dashboard_open or (is_reading_free(settings) and _is_local(request)):
        return
    if settings.dashboard_token is None:
        raise HTTPException(
            403,
            "reading from other machines or through a proxy needs a token, and no token is "
            "configured: set MEMTAIL_DASHBOARD_TOKEN, or MEMTAIL_DASHBOARD_OPEN=1 to let anyone "
            "read",
        )
    if not _is_token(request, settings, ("bearer", "basic")):
        ways = f'Basic {_REALM}, charset="UTF-8", Bearer {_REALM}'
        raise HTTPException(401, "reading needs the token", {"WWW-Authenticate": ways})


async def writer(request: Request, documented: object = Security(bearer)) -> None:
    """Let a request pass that may change something.

    Raises:
        HTTPException: 401 without the right token, 403 where none is configured.
    """
    del documented
    settings = dashboard_of(request).settings
    if settings.dashboard_token is None:
        raise HTTPException(403, "read-only: no token is configured (set MEMTAIL_DASHBOARD_TOKEN)")
    if not _is_token(request, settings, ("bearer",)):
        raise HTTPException(
            401,
            "changes need the token: send 'Authorization: Bearer TOKEN'",
            {"WWW-Authenticate": f"Bearer {_REALM}"},
        )


async def documented_reader(documented: object = Security(bearer)) -> None:
    """State in the OpenAPI document that reading needs the token; :func:`reader` checks it."""
    del documented


def _is_token(request: Request, settings: Settings, schemes: tuple[str, ...]) -> bool:
    """Whether the request has the token; headers are bytes, whatever they may hold."""
    header = request.headers.get("authorization", "").encode("latin-1", "replace")
    scheme, _, given = header.partition(b" ")
    name = scheme.decode("latin-1").lower()
    if name not in schemes or settings.dashboard_token is None:
        return False
    given = given.strip()
    if name == "basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return False
    return hmac.compare_digest(given, settings.dashboard_token.get_secret_value().encode())


async def rated(request: Request) -> None:
    """Let a change pass unless this client, or all together, asked for too many.

    Raises:
        HTTPException: 429, with Retry-After.
    """
    rates = dashboard_of(request).rates
    wait = rates.hit(request.client.host if request.client else "unknown")
    if wait is not None:
        seconds = max(1, math.ceil(wait))
        detail = f"too many changes in a minute: try again in {seconds} s"
        raise HTTPException(429, detail, {"Retry-After": str(seconds)})


READER = Depends(reader)
WRITER = Depends(writer)
RATED = Depends(rated)
