"""The pages: the server renders each of them whole, and they read without a script.

The parts that change are marked ``data-live``. When the server reports a change, static/live.js
fetches the page again and replaces those parts. So everything is drawn in one way: by these
templates.
"""

import time
from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from memtail_core.study import MOST_TRIALS, shipped
from services.dashboard import endpoints, formatting, published_report, static_files, study_file
from services.dashboard.dashboard import API, Dashboard, dashboard_of, root_of
from services.dashboard.snapshot import Snapshot, StudyView
from services.last_errors import LastError
from services.leases import Lease

_MOST = 200  # studies on one page
_FILES = {  # of a report, and their contents
    "index.html": "the report",
    "scores.parquet": "memorization of every training example",
    "pairs.parquet": "high-influence pairs",
    "memorization.npz": "scores in the format of the authors' files",
    "summary.json": "counts, accuracies, provenance",
}

Filter = Annotated[str, Query(max_length=200)]  # each word is looked for in each study

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
_templates.filters.update(formatting.FILTERS)


@router.get("/")
def studies(request: Request, name: Filter = "", state: Filter = "") -> HTMLResponse:
    """The studies, those under way first; ``name`` and ``state`` filter them."""
    snapshot = dashboard_of(request).monitor.latest()
    matching = [each for each in snapshot.studies if _matches(each, name, state)]
    under_way = [each for each in snapshot.studies if each.is_under_way]
    return _page(
        request,
        "studies.html",
        events="/events",
        every=snapshot.studies,
        listed=matching[:_MOST],
        n_more=len(matching[_MOST:]),
        under_way=under_way,
        rate=sum(e.status.models_per_hour or 0.0 for e in under_way if e.state == "running"),
        states=sorted({each.state for each in snapshot.studies} | {state} - {""}),
        filters={"name": name, "state": state},
    )


@router.get("/studies/{study_id}")
def study(request: Request, study_id: str) -> HTMLResponse:
    """Everything about one study, and the actions on it."""
    dashboard = dashboard_of(request)
    view = dashboard.monitor.latest().study(study_id)
    if view is None:
        sentence = f"The store has no study {study_id}."
        return _page(request, "problem.html", 404, title="Study not found", sentence=sentence)
    return _page(
        request,
        "study.html",
        events=f"/studies/{study_id}/events",
        view=view,
        detail=dashboard.details.of(view),
        commands=_commands(view, dashboard),
        files=_files(view),
        most_trials=MOST_TRIALS,
    )


@router.get("/workers")
def workers(request: Request) -> HTMLResponse:
    """The workers, and what each of them does."""
    dashboard = dashboard_of(request)
    snapshot = dashboard.monitor.latest()
    held: dict[str, list[Lease]] = defaultdict(list)
    errors: dict[str, list[LastError]] = defaultdict(list)
    for each in snapshot.studies:
        for lease in each.status.at_work:
            held[lease.worker].append(lease)
        for error in each.status.errors if each.is_under_way else ():
            errors[error.worker].append(error)
    rows = [(one, held[one.name], errors[one.name]) for one in snapshot.workers]
    here = dashboard.store.location.rstrip("/")
    return _page(
        request,
        "workers.html",
        events="/events",
        rows=rows,
        busy=sum(bool(of_worker) for _, of_worker, _ in rows),
        elsewhere=sorted({e.store for e in snapshot.workers if e.store.rstrip("/") != here}),
    )


@router.get("/submit")
def submit(request: Request, study: str = "digits") -> HTMLResponse:
    """A form for a study file; ``study`` names the study it starts from."""
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
    """The API: every endpoint, with examples of calls."""
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
    """Render a template with what every page needs, and with ``values``."""
    dashboard, root = dashboard_of(request), root_of(request)
    html = _templates.get_template(template).render(
        root=root,
        here=request.url.path.removeprefix(root),
        static=root + static_files.PREFIX,
        events=events and f"{root}{API}{events}",
        snapshot=dashboard.monitor.latest(),
        location=dashboard.store.location,
        now=time.time(),
        can_train=dashboard.cluster is not None,
        can_act=dashboard.cluster is not None and dashboard.settings.dashboard_token is not None,
        **values,
    )
    return HTMLResponse(html, status)


def _latest(request: Request) -> Snapshot:
    return dashboard_of(request).monitor.latest()


def _matches(view: StudyView, name: str, state: str) -> bool:
    text = f"{view.study.id} {view.study.dataset.source} {view.study.training['recipe']}".lower()
    return (not state or view.state == state) and all(w in text for w in name.lower().split())


def _files(view: StudyView) -> list[tuple[str, str]]:
    """The files of its report and their contents, those that are known first."""
    names = sorted(view.report.files) if view.report else []
    known = [(name, content) for name, content in _FILES.items() if name in names]
    return known + [(name, "") for name in names if name not in _FILES]


def _commands(view: StudyView, dashboard: Dashboard) -> list[tuple[str, str]]:
    """The commands for this study, each without its id, and what it does."""
    commands = []
    if dashboard.cluster is None:
        if view.state != "complete" and not view.is_experiment:
            commands.append(("run", "train what is missing, on this machine"))
        commands.append(("status", "show its status and verify every shard"))
    else:
        commands.append(("watch", "follow it in a terminal"))
        if view.is_under_way:
            commands.append(("cancel", "stop it; stored models stay"))
        elif view.state in ("failed", "stopped"):
            commands.append(("retry", "enqueue what failed"))
        elif view.state != "complete":
            commands.append(("submit", "continue it"))
    if view.report is not None:
        commands.append(("fetch", "copy the report to a folder"))
        commands.append(("subgroups", "list mislabeled, rare but useful, and duplicate examples"))
    elif view.status.stored and not view.is_experiment:
        commands.append(("report", "make a report of what is stored"))
    return commands
