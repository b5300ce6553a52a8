"""``/metrics`` for Prometheus, from the latest snapshot, and ``/healthz``.

The labels are bounded: studies by a number, devices and routes by lists.
"""

import time
from collections import Counter as Counted
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette._utils import get_route_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dashboard.access import READER
from services.dashboard.api import shapes
from services.dashboard.dashboard import API, dashboard_of
from services.dashboard.monitor import Monitor
from services.dashboard.snapshot_reader import DEVICES
from services.pace import Stored

disable_created_metrics()  # type: ignore[no-untyped-call]  # it would add a series for each

MOST_STUDIES = 200  # with their own metrics
_STALLED = 60.0  # seconds without a snapshot, and at least ten times the usual
_CONTENT = "text/plain; version=0.0.4; charset=utf-8"
_SHARD = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)  # seconds
_REQUEST = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
_METHODS = ("GET", "HEAD", "POST", "PUT")

router = APIRouter(tags=["metrics"], dependencies=[READER])
health_router = APIRouter(tags=["metrics"])


class Metrics:
    """The metrics of one dashboard."""

    def __init__(self, monitor: Monitor) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_SnapshotCollector(monitor))
        self._shards = Histogram(
            "memtail_shard_seconds",
            "Seconds that shards took which workers stored while the dashboard was running.",
            ("study",),
            buckets=_SHARD,
            registry=self.registry,
        )
        self._requests = Counter(
            "memtail_dashboard_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "memtail_dashboard_request_seconds",
            "Seconds that requests took, without event streams.",
            ("route",),
            buckets=_REQUEST,
            registry=self.registry,
        )
        listening = Gauge(
            "memtail_dashboard_listeners", "Clients that listen to events.", registry=self.registry
        )
        listening.set_function(lambda: monitor.n_listeners)
        self._studies: set[str] = set()
        monitor.on_stored(self.shards_stored)

    def shards_stored(self, study_id: str, stored: Sequence[Stored]) -> None:
        """Count shards that workers have stored."""
        if study_id not in self._studies and len(self._studies) >= MOST_STUDIES:
            study_id = "others"
        self._studies.add(study_id)
        for each in stored:
            self._shards.labels(study_id).observe(each.seconds)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith("/events"):
            self._seconds.labels(route).observe(seconds)


class _SnapshotCollector(Collector):
    """Reads the latest snapshot when it is asked."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> list[Metric]:
        """No metric is known beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        now = self._monitor.latest()
        shards = GaugeMetricFamily("memtail_shards", "Shards by state.", labels=("study", "state"))
        pace = GaugeMetricFamily(
            "memtail_models_per_hour",
            "Models stored per hour, by the last shards.",
            labels=("study",),
        )
        for view in now.studies[:MOST_STUDIES]:
            for state in ("stored", "running", "waiting", "failed"):
                n_shards = getattr(view.status, state) // view.study.shard_size
                shards.add_metric((view.study.id, state), n_shards)
            if view.is_under_way and view.status.models_per_hour is not None:
                pace.add_metric((view.study.id,), view.status.models_per_hour)
        yield shards
        yield pace
        queues = GaugeMetricFamily(
            "memtail_queue_depth",
            "Tasks in the queue that no worker has taken.",
            labels=("device",),
        )
        for device, n_waiting in now.queues.items():
            queues.add_metric((device,), n_waiting)
        yield queues
        workers = GaugeMetricFamily(
            "memtail_workers", "Workers that are running.", labels=("device",)
        )
        counted = Counted(each.device.partition(":")[0] for each in now.workers)
        for device in DEVICES:
            workers.add_metric((device,), counted[device])
        yield workers
        yield GaugeMetricFamily(
            "memtail_aggregators", "Aggregators that are running.", len(now.aggregators)
        )
        yield GaugeMetricFamily("memtail_studies", "Studies in the store.", len(now.studies))
        yield GaugeMetricFamily(
            "memtail_seen_timestamp_seconds",
            "When the dashboard read the store and Redis last.",
            now.when,
        )


class Measured:
    """Counts every request and the seconds it took."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", None)
            route = "none" if route is None else _prefix(get_route_path(scope), route) + route
            taken = time.perf_counter() - begun
            self._metrics.answered(scope["method"], route, status, taken)


def _prefix(path: str, route: str) -> str:
    """``/api/v1``, which a route of the API does not include."""
    is_below = path.startswith(f"{API}/") and not route.startswith(f"{API}/")
    return API if is_below else ""


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "The text format of Prometheus."}
    },
)
async def metrics(request: Request) -> Response:
    """Shards by state, models per hour, queue depth, seconds per shard, workers, requests."""
    registry = request.app.state.metrics.registry
    return Response(generate_latest(registry), headers={"Content-Type": _CONTENT})


@health_router.get(
    "/healthz",
    operation_id="health",
    response_model=shapes.Health,
    responses={
        503: {
            "model": shapes.Health,
            "description": "The store or Redis cannot be reached, or no snapshot was taken lately.",
        }
    },
)
async def health(request: Request) -> JSONResponse:
    """Whether the dashboard reaches the store and Redis; needs no token, so it names neither."""
    dashboard = dashboard_of(request)
    now = dashboard.monitor.latest()
    stalled = max(_STALLED, 10 * dashboard.settings.dashboard_look)
    detail = None
    if now.trouble is not None:
        detail = "the store or Redis cannot be reached; the pages of the dashboard say which"
    elif time.time() - now.when > stalled:
        detail = "the dashboard has not read the store and Redis for a while"
    status = "ok" if detail is None else "trouble"
    return JSONResponse({"status": status, "detail": detail}, 200 if detail is None else 503)
