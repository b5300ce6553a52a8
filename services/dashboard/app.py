"""The dashboard as one ASGI app: a management, a results and a metrics API, and the pages."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.dashboard import access, error_responses, metrics, pages
from services.dashboard.api import events, management, results
from services.dashboard.dashboard import API, Dashboard
from services.dashboard.headers import KnownHosts, SecurityHeaders
from services.dashboard.limits import Bodies
from services.dashboard.proxies import ForwardedHost, Prefix, prefix_of, proxies_of

__all__ = ["API", "Dashboard", "create_app"]


def create_app(dashboard: Dashboard) -> FastAPI:
    """Build the app; the monitor runs as long as the app does.

    Raises:
        StudyError: the prefix or the proxies in the settings are none.
    """
    prefix, proxies = prefix_of(dashboard.settings), proxies_of(dashboard.settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        dashboard.monitor.start()
        # The modules that results need take seconds to import; pages do not wait for them.
        threading.Thread(target=_import, name="imports", daemon=True).start()
        yield
        dashboard.monitor.close()
        dashboard.influence.close()

    app = FastAPI(
        title="memtail",
        summary="Which training examples a network has memorized: studies, progress, results.",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.dashboard = dashboard
    app.state.metrics = metrics.Metrics(dashboard.monitor)
    error_responses.install(app)
    is_free = access.is_reading_free(dashboard.settings)
    documented = [] if is_free else [Depends(access.documented_reader)]
    of_all = error_responses.described(400, 408, 413, *(() if is_free else (401, 403)))
    for router in (management.readers, results.router, events.router):
        app.include_router(router, prefix=API, dependencies=documented, responses=of_all)
    app.include_router(metrics.router, dependencies=documented, responses=of_all)
    app.include_router(metrics.health_router, responses=error_responses.described(400, 408, 413))
    app.include_router(management.writers, prefix=API)
    app.include_router(pages.router, dependencies=[access.READER], include_in_schema=False)
    most = dashboard.settings.dashboard_most_bytes
    app.add_middleware(Bodies, datasets_at=f"{API}/datasets", most_of_dataset=most)
    app.add_middleware(KnownHosts, settings=dashboard.settings)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(metrics.Measured, metrics=app.state.metrics)
    # Each of these comes before those above.
    app.add_middleware(Prefix, prefix=prefix)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    app.add_middleware(ForwardedHost, proxies=proxies)
    return app


def _import() -> None:
    import memtail_core.analysis.pair_queries
    import memtail_core.running.preparation  # noqa: F401
