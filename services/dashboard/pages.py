"""The pages: every one is made whole on the server, and reads without a script.

What changes is marked ``data-live``; static/live.js fetches the page again when the server says
that something is new, and exchanges those parts. So there is one way to draw: these templates.
"""

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from memtail_core.study import MOST_TRIALS, shipped
from services.dashboard import endpoints, published_report, static_files, study_file, words
from services.dashboard.dashboard import Dashboard, dashboard_of
from services.dashboard.snapshot import Snapshot, StudySeen

_MOST = 200  # studies on one page
_FILES = {  # of a report, and what is in them
    "index.html": "the report",
    "scores.parquet": "memorization of every training example",
    "pairs.parquet": "high-influence pairs",
    "memorization.npz": "scores as in the authors' files",
    "summary.json": "counts, accuracies, provenance",
}

router = APIRouter(include_in_schema=False)
router.include_router(static_files.router)
router.include_router(published_report.router)
router.include_router(study_file.router)

_templates = Environment(
    loader=PackageLoader("services.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(words.FILTERS)


@router.get("/")
def studies(request: Request, name: str = "", state: str = "") -> HTMLResponse:
    """Every study, those under way first; ``name`` and ``state`` choose some."""
    snapshot = dashboard_of(request).observer.latest()
    wanted = [each for each in snapshot.studies if _fits(each, name, state)]
    under_way = [each for each in snapshot.studies if each.is_under_way]
    return _page(
        request,
        "studies.html",
        events="/api/v1/events",
        every=snapshot.studies,
        shown=wanted[:_MOST],
        n_more=len(wanted[_MOST:]),
        under_way=under_way,
        rate=sum(e.models_per_hour or 0.0 for e in under_way if e.state == "running"),
        states=sorted({each.state for each in snapshot.studies} | {state} - {""}),
        asked={"name": name, "state": state},
    )


@router.get("/studies/{study_id}")
def study(request: Request, study_id: str) -> HTMLResponse:
    """All there is to know of one study, and what can be done with it."""
    dashboard = dashboard_of(request)
    seen = dashboard.observer.latest().study(study_id)
    if seen is None:
        sentence = f"There is no study {study_id} in the store."
        return _page(request, "problem.html", 404, title="No such study", sentence=sentence)
    return _page(
        request,
        "study.html",
        events=f"/api/v1/studies/{study_id}/events",
        seen=seen,
        detail=dashboard.details.of(seen),
        commands=_commands(seen, dashboard),
        files=_files(seen),
        most_trials=MOST_TRIALS,
    )


@router.get("/workers")
def workers(request: Request) -> HTMLResponse:
    """Who is there, and what each does."""
    dashboard = dashboard_of(request)
    snapshot = dashboard.observer.latest()
    held = [lease for each in snapshot.studies for lease in each.at_work]
    rows = [(one, [e for e in held if e.worker == one.name]) for one in snapshot.workers]
    here = dashboard.store.location.rstrip("/")
    return _page(
        request,
        "workers.html",
        events="/api/v1/events",
        rows=rows,
        busy=sum(bool(each) for _, each in rows),
        elsewhere=sorted({e.store for e in snapshot.workers if e.store.rstrip("/") != here}),
    )


@router.get("/submit")
def submit(request: Request, study: str = "digits") -> HTMLResponse:
    """A form for a study file; ``study`` names the shipped one that it begins with."""
    known = sorted(shipped())
    stored = {e.study.dataset.sha256: e.study.dataset for e in _latest(request).studies}
    here = {e.study.id: e.study for e in _latest(request).studies if not e.is_experiment}
    chosen = study if study in here or study in known else "digits"
    return _page(
        request,
        "submit.html",
        shipped=known,
        chosen=chosen,
        studies=list(here)[:_MOST],
        text=study_file.like(here[chosen]) if chosen in here else study_file.shipped_text(chosen),
        most_trials=MOST_TRIALS,
        datasets=sorted(stored.values(), key=lambda e: (e.source, e.sha256)),
    )


@router.get("/about")
def about(request: Request) -> HTMLResponse:
    """The API: every endpoint, and how to call it."""
    return _page(
        request,
        "about.html",
        groups=endpoints.groups(request.app.openapi()),
        base=str(request.base_url).rstrip("/"),
        example=next((e.study.id for e in _latest(request).studies if e.report), "STUDY"),
    )


def _page(
    request: Request, template: str, status: int = 200, events: str | None = None, **values: Any
) -> HTMLResponse:
    """Fill a template with what every page has, and with ``values``."""
    dashboard = dashboard_of(request)
    html = _templates.get_template(template).render(
        here=request.url.path,
        static=static_files.PREFIX,
        events=events,
        snapshot=dashboard.observer.latest(),
        location=dashboard.store.location,
        now=time.time(),
        can_train=dashboard.cluster is not None,
        can_act=dashboard.cluster is not None and dashboard.settings.dashboard_token is not None,
        **values,
    )
    return HTMLResponse(html, status)


def _latest(request: Request) -> Snapshot:
    return dashboard_of(request).observer.latest()


def _fits(seen: StudySeen, name: str, state: str) -> bool:
    words_ = f"{seen.study.id} {seen.study.dataset.source} {seen.study.training['recipe']}".lower()
    return (not state or seen.state == state) and all(w in words_ for w in name.lower().split())


def _files(seen: StudySeen) -> list[tuple[str, str]]:
    """The files of its report, those first of which it is known what they are, and what that is."""
    names = sorted(seen.report.files) if seen.report else []
    known = [(name, what) for name, what in _FILES.items() if name in names]
    return known + [(name, "") for name in names if name not in _FILES]


def _commands(seen: StudySeen, dashboard: Dashboard) -> list[tuple[str, str]]:
    """Commands that do the same, each without the study's id, and what it does."""
    found = []
    if dashboard.cluster is None:
        if seen.state != "complete" and not seen.is_experiment:
            found.append(("run", "trains what is missing, on this machine"))
        found.append(("status", "where it stands, every shard read"))
    else:
        found.append(("watch", "follows it"))
        if seen.is_under_way:
            found.append(("cancel", "stops it; what is stored stays"))
        elif seen.state in ("failed", "stopped"):
            found.append(("retry", "enqueues what failed"))
        elif seen.state != "complete":
            found.append(("submit", "continues"))
    if seen.report is not None:
        found.append(("fetch", "the report, in a folder"))
        found.append(("subgroups", "what is mislabeled, rare but useful, or duplicated"))
    elif seen.stored and not seen.is_experiment:
        found.append(("report", "makes a report of what is stored"))
    return found
