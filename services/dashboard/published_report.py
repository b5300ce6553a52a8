"""The published report of a study, served in a sandbox.

The report has scripts, and anyone who can write to the bucket can replace it. So it gets no origin
(``sandbox``) and may load nothing: it can neither read the dashboard nor call its API.
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
    """A file of the report, by default its page; only names in its manifest are served."""
    name = name or reports.PAGE
    dashboard = dashboard_of(request)
    view = dashboard.monitor.latest().study(study_id)
    if view is None or view.report is None or name not in view.report.files:
        raise HTTPException(404, "there is no such report, or the report has no such file")
    headers = {
        "Content-Security-Policy": CSP,
        "ETag": f'"{view.report.files[name]}"',
        "Cache-Control": "private, no-cache",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    try:
        content = dashboard.reports.file(view, name)
    except BeingReplacedError as error:
        raise HTTPException(503, f"{error}: try again", {"Retry-After": "1"}) from error
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    if name != reports.PAGE:
        filename = quote(f"{view.study.name}-{name}".replace("/", "-"))
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{filename}"
    return Response(content, media_type=kind, headers=headers)
