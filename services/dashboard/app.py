"""The dashboard as one ASGI app: a management, a results and a metrics API, and the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.dashboard import access, pages, problems
from services.dashboard.dashboard import Dashboard
from services.dashboard.detail import Details
from services.dashboard.headers import KnownHosts, SecurityHeaders
from services.dashboard.limits import BodySizes, Rates

__all__ = ["API", "Dashboard", "create_app"]

API = "/api/v1"


def create_app(dashboard: Dashboard) -> FastAPI:
    """Build the app; the observer looks while it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        dashboard.observer.start()
        yield
        dashboard.observer.close()

    app = FastAPI(
        title="memtail",
        summary="Which training examples a network has memorized: studies, progress, results.",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.dashboard, app.state.rates = dashboard, Rates()
    app.state.details = Details(dashboard.store)
    problems.install(app)
    app.include_router(pages.router, dependencies=[access.READER], include_in_schema=False)
    most = dashboard.settings.dashboard_most_bytes
    app.add_middleware(BodySizes, datasets_at=f"{API}/datasets", most_of_dataset=most)
    app.add_middleware(KnownHosts, settings=dashboard.settings)
    app.add_middleware(SecurityHeaders)
    return app
