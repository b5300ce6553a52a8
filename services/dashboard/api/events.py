"""Progress as server-sent events: a study's line whenever it changes, and a comment now and then.

Who listens holds no thread, and one who is slow misses changes, not the last one.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.dashboard.access import READER
from services.dashboard.api.management import Seen, The
from services.dashboard.dashboard import dashboard_of
from services.dashboard.problems import described

MOST_LISTENERS = 1000


async def _with_room(request: Request) -> None:
    if dashboard_of(request).observer.n_listeners >= MOST_LISTENERS:
        raise HTTPException(503, "too many listen: try again later", {"Retry-After": "30"})


router = APIRouter(
    tags=["management"],
    dependencies=[READER, Depends(_with_room)],
    default_response_class=EventSourceResponse,
)
Events = AsyncIterator[ServerSentEvent]


@router.get("/events", operation_id="listen", responses=described(503))
async def listen(dashboard: The) -> Events:
    """Listen to all studies: ``study`` for each that changed, then ``overview``."""
    sent: dict[str, object] = {}
    async with aclosing(dashboard.observer.changes()) as changes:
        async for now in changes:
            for seen in now.studies:
                if sent.get(seen.study.id) != seen:
                    yield ServerSentEvent(event="study", raw_data=seen.json)
            sent = {seen.study.id: seen for seen in now.studies}
            yield ServerSentEvent(event="overview", raw_data=now.overview, id=str(now.number))


@router.get(
    "/studies/{study_id}/events",
    operation_id="listen_to_study",
    responses=described(404, 422, 503),
)
async def listen_to_study(dashboard: The, seen: Seen) -> Events:
    """Listen to one study: ``study`` whenever it changes; ``gone`` if it was removed."""
    sent: object = None
    async with aclosing(dashboard.observer.changes()) as changes:
        async for now in changes:
            found = now.study(seen.study.id)
            if found is None:
                yield ServerSentEvent(event="gone", data={"id": seen.study.id})
                return
            if found != sent:
                yield ServerSentEvent(event="study", raw_data=found.json, id=str(now.number))
            sent = found
