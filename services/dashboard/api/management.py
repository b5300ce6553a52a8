"""The management API: submit, list, look at, cancel and retry studies; who works on them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.study import Spec, Study
from services import broker, orders, submission
from services.dashboard import admission
from services.dashboard.access import RATED, READER, WRITER
from services.dashboard.api import shapes
from services.dashboard.api.shapes import StudyId
from services.dashboard.dashboard import Dashboard, dashboard_of
from services.dashboard.problems import described
from services.dashboard.snapshot import StudySeen
from services.submission import Cluster

_AT_ONCE = threading.BoundedSemaphore(4)  # changes; they load data, and write to store and queue
_PATIENCE = 2.0  # seconds
_MOST_FAILURES = 200

readers = APIRouter(tags=["management"], dependencies=[READER])
writers = APIRouter(
    tags=["management"],
    dependencies=[WRITER, RATED],
    responses=described(400, 401, 403, 413, 422, 429, 503),
)


# Dependencies are coroutines, though they wait for nothing: others FastAPI runs in threads, and
# two changes of thread for each are most of what such a request costs.
async def study_seen(study_id: StudyId, request: Request) -> StudySeen:
    """The study that a path names, as it was last seen."""
    found = dashboard_of(request).observer.latest().study(study_id)
    if found is None:
        raise HTTPException(404, "there is no such study")
    return found


async def _dashboard(request: Request) -> Dashboard:
    return dashboard_of(request)


Seen = Annotated[StudySeen, Depends(study_seen)]
The = Annotated[Dashboard, Depends(_dashboard)]


@readers.get("/studies", operation_id="list_studies", response_model=list[shapes.StudyStatus])
async def list_studies(dashboard: The) -> Response:
    """Every study, those under way first."""
    return _json(dashboard.observer.latest().listing)


@readers.get(
    "/studies/{study_id}",
    operation_id="get_study",
    response_model=shapes.StudyDetail,
    responses=described(404, 422),
)
async def get_study(seen: Seen) -> dict[str, Any]:
    """One study, with its description."""
    return {**seen.as_dict(), "description": seen.study.model_dump(mode="json")}


@readers.get(
    "/studies/{study_id}/failures",
    operation_id="list_failures",
    response_model=shapes.Failures,
    responses=described(404, 422, 503),
)
def list_failures(
    dashboard: The, seen: Seen, limit: Annotated[int, Query(ge=1, le=_MOST_FAILURES)] = 50
) -> dict[str, Any]:
    """Attempts that failed, with their tracebacks: those that stopped something first."""
    key = (seen.study.id, seen.updated, seen.n_failures, limit)
    found = dashboard.failures.get(key)
    if found is None:
        items, total = failures.most_serious(dashboard.store, seen.study, limit)
        found = {"total": total, "items": [each.model_dump() for each in items]}
        dashboard.failures.put(key, found)
    return found


@readers.get(
    "/studies/{study_id}/shards",
    operation_id="list_shards",
    response_model=shapes.Shards,
    responses=described(404, 422),
)
async def list_shards(seen: Seen) -> dict[str, Any]:
    """The shards that workers stored last, at most 200: who, when, how long, how accurate."""
    return {"items": seen.recent}


@readers.get("/workers", operation_id="list_workers", response_model=shapes.Workers)
async def list_workers(dashboard: The) -> dict[str, Any]:
    """Workers and aggregators that are there, and how many tasks wait."""
    now = dashboard.observer.latest()
    return {"workers": now.workers, "aggregators": now.aggregators, "queues": now.queues}


@writers.post(
    "/studies",
    operation_id="submit_study",
    status_code=202,
    response_model=shapes.Submitted,
    responses=described(409),
)
def submit_study(dashboard: The, asked: shapes.Submission, response: Response) -> dict[str, Any]:
    """Hand a study to the cluster. Submitting again is safe: it continues, or grows."""
    with _changing(dashboard) as cluster:
        spec = Spec.parse(_tables(asked))
        study, dataset = admission.prepared(dashboard.store, spec)
        before = catalogue.goal(dashboard.store, study)
        goal = asked.trials or max(spec.study.trials, before)
        response.headers["Location"] = f"/api/v1/studies/{study.id}"
        return _submit(cluster, study, dataset, goal, asked)


@writers.post(
    "/studies/{study_id}/submit",
    operation_id="submit_stored_study",
    status_code=202,
    response_model=shapes.Submitted,
    responses=described(404, 409),
)
def submit_stored_study(
    dashboard: The, seen: Seen, asked: shapes.Growth | None = None
) -> dict[str, Any]:
    """Let a study of the store go on, after a cancellation or with more trials."""
    asked = asked or shapes.Growth()
    with _changing(dashboard) as cluster:
        if seen.is_experiment:
            raise StudyError(f"{seen.study.id} is an experiment's: run its command with --submit")
        admission.check_recipe(seen.study.training)
        goal = asked.trials or catalogue.goal(dashboard.store, seen.study)
        if not goal:
            raise StudyError("how many models it should have is not known: say trials")
        dataset = catalogue.load_dataset(dashboard.store, seen.study)
        return _submit(cluster, seen.study, dataset, goal, asked)


@writers.post(
    "/studies/{study_id}/cancel",
    operation_id="cancel_study",
    response_model=shapes.Cancelled,
    responses=described(404, 409),
)
def cancel_study(dashboard: The, seen: Seen) -> dict[str, Any]:
    """Stop training a study. What is stored stays; submitting it continues."""
    with _changing(dashboard) as cluster:
        _must_be_submitted(dashboard, seen.study)
        return {"id": seen.study.id, "stopped": submission.cancel(cluster, seen.study)}


@writers.post(
    "/studies/{study_id}/retry",
    operation_id="retry_study",
    response_model=shapes.Retried,
    responses=described(404, 409),
)
def retry_study(dashboard: The, seen: Seen) -> dict[str, Any]:
    """Enqueue again what failed of a study, and only that."""
    with _changing(dashboard) as cluster:
        if _must_be_submitted(dashboard, seen.study).cancelled:
            raise HTTPException(409, f"{seen.study.id} was cancelled: submit it again instead")
        return {"id": seen.study.id, "enqueued": submission.retry(cluster, seen.study)}


@writers.put(
    "/datasets",
    operation_id="put_dataset",
    response_model=shapes.DatasetStored,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "An npz file without pickles, as Dataset.to_npz writes it.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def put_dataset(dashboard: The, request: Request) -> dict[str, Any]:
    """Put data into the store, so that a study can name them as ``stored:SHA256``."""
    return await dashboard.uploads.take(request)


@contextmanager
def _changing(dashboard: Dashboard) -> Iterator[Cluster]:
    """The cluster, for one of a few changes at once; afterwards, the observer looks again."""
    if dashboard.cluster is None:
        raise HTTPException(
            409, "this dashboard only looks: it has no cluster (MEMTAIL_BROKER_URL is not set)"
        )
    if not _AT_ONCE.acquire(timeout=_PATIENCE):
        raise HTTPException(503, "too many changes at once: try again", {"Retry-After": "5"})
    try:
        with broker.reached(dashboard.settings):
            yield dashboard.cluster
    finally:
        _AT_ONCE.release()
        dashboard.observer.refresh()


def _submit(
    cluster: Cluster,
    study: Study,
    dataset: Dataset,
    goal: int,
    asked: shapes.Growth | shapes.Submission,
) -> dict[str, Any]:
    admission.check_size(study, goal)
    order = submission.order_for(cluster, study, asked.device, asked.stack)
    enqueued = submission.submit(cluster, study, dataset, goal, order)
    return {
        "id": study.id,
        "trials": catalogue.goal(cluster.store, study),
        "enqueued": enqueued,
    }


def _tables(asked: shapes.Submission) -> dict[str, Any]:
    if asked.shipped is None:
        if asked.dataset is None:
            raise StudyError("say 'dataset' (a study file's tables) or 'shipped' (a study's name)")
        return asked.model_dump(include={"study", "dataset", "training", "subsets"})
    if asked.dataset is not None or asked.study or asked.training or asked.subsets:
        raise StudyError("'shipped' is a whole study: give it alone, or the tables without it")
    return admission.shipped_tables(asked.shipped)


def _must_be_submitted(dashboard: Dashboard, study: Study) -> orders.Order:
    order = orders.read(dashboard.store, study)
    if order is None:
        raise HTTPException(409, f"{study.id} was never submitted")
    return order


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
