"""The styles and scripts of the pages, read once.

They are a fixed set of names, so no path in a request reaches the disk. Their URLs hold a digest of
them all, so browsers can keep them for good.
"""

import hashlib
from importlib import resources

from fastapi import APIRouter, HTTPException, Response

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {
    file.name: file.read_bytes()
    for file in (resources.files("services.dashboard") / "static").iterdir()
    if file.name.endswith(tuple(_TYPES))
}
_VERSION = hashlib.sha256(
    b"".join(name.encode() + _FILES[name] for name in sorted(_FILES))
).hexdigest()[:12]

PREFIX = f"/static/{_VERSION}"

router = APIRouter(include_in_schema=False)


@router.get("/static/{version}/{name}")
def static_file(version: str, name: str) -> Response:
    """A static file; browsers may keep it for good if the URL has the current version."""
    if name not in _FILES:
        raise HTTPException(404, "no such file")
    kept = "public, max-age=31536000, immutable" if version == _VERSION else "no-cache"
    kind = _TYPES[f".{name.rpartition('.')[2]}"]
    return Response(_FILES[name], media_type=kind, headers={"Cache-Control": kept})
