"""The management API: list, submit, cancel and retry studies; workers and failures."""

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
from services.dashboard.dashboard import API, Dashboard, dashboard_of, root_of
from services.dashboard.error_responses import described
from services.dashboard.snapshot import StudyView
from services.submission import Cluster

_AT_ONCE = threading.BoundedSemaphore(4)  # changes: they load data, and write to the store
_PATIENCE = 2.0  # seconds
_MOST_FAILURES = 200

readers = APIRouter(tags=["management"], dependencies=[READER])
writers = APIRouter(
    tags=["management"],
    dependencies=[WRITER, RATED],
    responses=described(400, 401, 403, 408, 413, 422, 429, 503),
)


# Dependencies are coroutines, though they wait for nothing: FastAPI runs others in threads, and two
# changes of thread for each would be most of the cost of a request.
async def study_view(study_id: StudyId, request: Request) -> StudyView:
    """The study in the path, as it was read last."""
    view = dashboard_of(request).monitor.latest().study(study_id)
    if view is None:
        raise HTTPException(404, "the store has no such study")
    return view


async def _dashboard(request: Request) -> Dashboard:
    return dashboard_of(request)


TheStudy = Annotated[StudyView, Depends(study_view)]
TheDashboard = Annotated[Dashboard, Depends(_dashboard)]


@readers.get("/studies", operation_id="list_studies", response_model=list[shapes.StudyStatus])
async def list_studies(dashboard: TheDashboard) -> Response:
    """List every study, those under way first."""
    return _json(dashboard.monitor.latest().listing)


@readers.get(
    "/studies/{study_id}",
    operation_id="get_study",
    response_model=shapes.StudyDetail,
    responses=described(404, 422),
)
async def get_study(view: TheStudy) -> dict[str, Any]:
    """Get one study with its description."""
    return {**view.as_dict(), "description": view.study.model_dump(mode="json")}


@readers.get(
    "/studies/{study_id}/failures",
    operation_id="list_failures",
    response_model=shapes.Failures,
    responses=described(404, 422, 503),
)
def list_failures(
    dashboard: TheDashboard,
    view: TheStudy,
    limit: Annotated[int, Query(ge=1, le=_MOST_FAILURES)] = 50,
) -> dict[str, Any]:
    """List failed attempts with their tracebacks, those that stopped something first."""
    key = (view.study.id, view.updated, view.status.n_failures, limit)
    answer = dashboard.failures.get(key)
    if answer is None:
        items, total = failures.most_serious(dashboard.store, view.study, limit)
        answer = {"total": total, "items": [each.model_dump() for each in items]}
        dashboard.failures.put(key, answer)
    return answer


@readers.get(
    "/studies/{study_id}/shards",
    operation_id="list_shards",
    response_model=shapes.Shards,
    responses=described(404, 422),
)
async def list_shards(view: TheStudy) -> dict[str, Any]:
    """List the last 200 shards that workers stored: worker, time, duration, accuracy."""
    return {"items": view.status.recent}


@readers.get("/workers", operation_id="list_workers", response_model=shapes.Workers)
async def list_workers(dashboard: TheDashboard) -> dict[str, Any]:
    """List the running workers and aggregators, and how many tasks wait."""
    now = dashboard.monitor.latest()
    return {"workers": now.workers, "aggregators": now.aggregators, "queues": now.queues}


@writers.post(
    "/studies",
    operation_id="submit_study",
    status_code=202,
    response_model=shapes.Submitted,
    responses=described(409),
)
def submit_study(
    dashboard: TheDashboard, asked: shapes.Submission, request: Request, response: Response
) -> dict[str, Any]:
    """Submit a study to the cluster. Submitting again is safe: it continues or grows."""
    with _changing(dashboard) as cluster:
        spec = Spec.parse(_tables(asked))
        study, dataset = admission.prepared(dashboard.store, spec)
        before = catalogue.goal(dashboard.store, study)
        goal = asked.trials or max(spec.study.trials, before)
        response.headers["Location"] = f"{root_of(request)}{API}/studies/{study.id}"
        return _submit(cluster, study, dataset, goal, asked)


@writers.post(
    "/studies/{study_id}/submit",
    operation_id="submit_stored_study",
    status_code=202,
    response_model=shapes.Submitted,
    responses=described(404, 409),
)
def submit_stored_study(
    dashboard: TheDashboard, view: TheStudy, asked: shapes.Growth | None = None
) -> dict[str, Any]:
    """Continue a study in the store, after a cancellation or with more trials."""
    asked = asked or shapes.Growth()
    with _changing(dashboard) as cluster:
        if view.is_experiment:
            raise StudyError(
                f"{view.study.id} belongs to an experiment: run the command of the experiment with "
                "--submit"
            )
        admission.check_recipe(view.study.training)
        goal = asked.trials or catalogue.goal(dashboard.store, view.study)
        if not goal:
            raise StudyError("the study has no number of models yet: give 'trials'")
        dataset = catalogue.load_dataset(dashboard.store, view.study)
        return _submit(cluster, view.study, dataset, goal, asked)


@writers.post(
    "/studies/{study_id}/cancel",
    operation_id="cancel_study",
    response_model=shapes.Cancelled,
    responses=described(404, 409),
)
def cancel_study(dashboard: TheDashboard, view: TheStudy) -> dict[str, Any]:
    """Stop training a study. Stored models stay; submitting it again continues."""
    with _changing(dashboard) as cluster:
        _must_be_submitted(dashboard, view.study)
        return {"id": view.study.id, "stopped": submission.cancel(cluster, view.study)}


@writers.post(
    "/studies/{study_id}/retry",
    operation_id="retry_study",
    response_model=shapes.Retried,
    responses=described(404, 409),
)
def retry_study(dashboard: TheDashboard, view: TheStudy) -> dict[str, Any]:
    """Enqueue the failed shards of a study again, and only those."""
    with _changing(dashboard) as cluster:
        if _must_be_submitted(dashboard, view.study).cancelled:
            raise HTTPException(409, f"{view.study.id} was cancelled: submit it again")
        return {"id": view.study.id, "enqueued": submission.retry(cluster, view.study)}


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
async def put_dataset(dashboard: TheDashboard, request: Request) -> dict[str, Any]:
    """Put a dataset into the store; studies name it ``stored:SHA256``."""
    return await dashboard.uploads.take(request)


@contextmanager
def _changing(dashboard: Dashboard) -> Iterator[Cluster]:
    """Yield the cluster for one of a few changes at once; then take a new snapshot."""
    if dashboard.cluster is None:
        raise HTTPException(409, "this dashboard has no cluster: MEMTAIL_BROKER_URL is not set")
    if not _AT_ONCE.acquire(timeout=_PATIENCE):
        raise HTTPException(503, "too many changes at once: try again", {"Retry-After": "5"})
    try:
        with broker.reached(dashboard.settings):
            yield dashboard.cluster
    finally:
        _AT_ONCE.release()
        dashboard.monitor.refresh()


def _submit(
    cluster: Cluster,
    study: Study,
    dataset: Dataset,
    goal: int,
    asked: shapes.Growth | shapes.Submission,
) -> dict[str, Any]:
    admission.check_size(study, goal)
    order = submission.order_for(cluster, study, asked.device, asked.stack)
    enqueued = submission.submit(cluster, study, dataset, goal, order, may_shrink=asked.shrink)
    return {
        "id": study.id,
        "trials": catalogue.goal(cluster.store, study),
        "enqueued": enqueued,
    }


def _tables(asked: shapes.Submission) -> dict[str, Any]:
    if asked.shipped is None:
        if asked.dataset is None:
            raise StudyError(
                "give 'dataset' and the other tables of a study file, or 'shipped', a study's name"
            )
        return asked.model_dump(include={"study", "dataset", "training", "subsets"})
    if asked.dataset is not None or asked.study or asked.training or asked.subsets:
        raise StudyError("'shipped' is a whole study: give either it or the tables of a study file")
    return admission.shipped_tables(asked.shipped)


def _must_be_submitted(dashboard: Dashboard, study: Study) -> orders.Order:
    order = orders.read(dashboard.store, study)
    if order is None:
        raise HTTPException(409, f"{study.id} was never submitted to the cluster")
    return order


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
