"""The published report of a study, as a page that is locked in.

Whoever may write to the bucket made it, and it has scripts. So it gets an origin of its own, which
is none (``sandbox``), and may load nothing: it can neither read the dashboard nor use its API.
"""

from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response

from memtail_core.catalogue import reports
from services.dashboard.dashboard import dashboard_of
from services.dashboard.reports import BeingReplacedError

CSP = (
    "sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; "
    "img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}

router = APIRouter(include_in_schema=False)


@router.get("/studies/{study_id}/report/{name:path}")
def file_of_report(request: Request, study_id: str, name: str) -> Response:
    """A file of the report, or its page; only the names in its manifest name anything."""
    name = name or reports.PAGE
    dashboard = dashboard_of(request)
    seen = dashboard.observer.latest().study(study_id)
    if seen is None or seen.report is None or name not in seen.report.files:
        raise HTTPException(404, "there is no such report, or no such file in it")
    headers = {
        "Content-Security-Policy": CSP,
        "ETag": f'"{seen.report.files[name]}"',
        "Cache-Control": "private, no-cache",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    try:
        content = dashboard.reports.file(seen, name)
    except BeingReplacedError as error:
        raise HTTPException(503, f"{error}: try again", {"Retry-After": "1"}) from error
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    if name != reports.PAGE:
        kept = quote(f"{seen.study.name}-{name}".replace("/", "-"))
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{kept}"
    return Response(content, media_type=kind, headers=headers)
