"""Progress as server-sent events: an event for each change of a study.

A client that listens holds no thread; one that is slow misses changes, but never the last one.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.dashboard.access import READER
from services.dashboard.api.management import TheDashboard, TheStudy
from services.dashboard.dashboard import dashboard_of
from services.dashboard.error_responses import described


async def _with_room(request: Request) -> None:
    dashboard = dashboard_of(request)
    most = dashboard.places.listeners
    if dashboard.monitor.n_listeners >= most:
        detail = f"{most:,} clients listen already, and no more can: try again later"
        raise HTTPException(503, detail, {"Retry-After": "30"})


router = APIRouter(
    tags=["management"],
    dependencies=[READER, Depends(_with_room)],
    default_response_class=EventSourceResponse,
)
Events = AsyncIterator[ServerSentEvent]


@router.get("/events", operation_id="listen", responses=described(503))
async def listen(dashboard: TheDashboard) -> Events:
    """Stream events of all studies: ``study`` for each that changed, then ``overview``."""
    sent: dict[str, object] = {}
    async with aclosing(dashboard.monitor.changes()) as changes:
        async for now in changes:
            for view in now.studies:
                if sent.get(view.study.id) != view:
                    yield ServerSentEvent(event="study", raw_data=view.json)
            sent = {view.study.id: view for view in now.studies}
            yield ServerSentEvent(event="overview", raw_data=now.overview, id=str(now.number))


@router.get(
    "/studies/{study_id}/events",
    operation_id="listen_to_study",
    responses=described(404, 422, 503),
)
async def listen_to_study(dashboard: TheDashboard, view: TheStudy) -> Events:
    """Stream events of one study: ``study`` whenever it changes; ``gone`` if it is removed."""
    sent: object = None
    async with aclosing(dashboard.monitor.changes()) as changes:
        async for now in changes:
            latest = now.study(view.study.id)
            if latest is None:
                yield ServerSentEvent(event="gone", data={"id": view.study.id})
                return
            if latest != sent:
                yield ServerSentEvent(event="study", raw_data=latest.json, id=str(now.number))
            sent = latest
