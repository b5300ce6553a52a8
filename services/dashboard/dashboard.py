"""What every request works with: the store, the cluster, the settings, and caches of them."""

import asyncio
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import Request

from memtail_core.settings import Settings
from memtail_core.store import ObjectStore
from services.dashboard.byte_cache import ByteCache
from services.dashboard.connections import Places, places
from services.dashboard.detail import Details
from services.dashboard.influence import Influence
from services.dashboard.limits import Rates
from services.dashboard.monitor import Monitor
from services.dashboard.reports import Reports
from services.dashboard.uploads import Uploads
from services.submission import Cluster

API = "/api/v1"  # the path of the REST API, below that of the dashboard

_STUDY_FILES = 2  # that are read at once
_FAILURE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Dashboard:
    """The parts of one dashboard.

    Attributes:
        store: where the studies are.
        cluster: where they are trained; None: the dashboard can only show them.
        settings: the token, the limits, and who may read.
        monitor: takes the snapshots.
    """

    store: ObjectStore
    cluster: Cluster | None
    settings: Settings
    monitor: Monitor

    @cached_property
    def reports(self) -> Reports:
        """The published reports."""
        return Reports(self.store)

    @cached_property
    def influence(self) -> Influence:
        """The influence of single examples."""
        return Influence(self.store)

    @cached_property
    def details(self) -> Details:
        """The details on the page of a study."""
        return Details(self.store)

    @cached_property
    def uploads(self) -> Uploads:
        """The datasets that clients send."""
        return Uploads(self.store, self.settings.dashboard_most_bytes)

    @cached_property
    def rates(self) -> Rates:
        """How often clients change something."""
        return Rates()

    @cached_property
    def places(self) -> Places:
        """How many clients may be connected at once, and listen."""
        return places()

    @cached_property
    def study_files(self) -> asyncio.Semaphore:
        """Whose turn it is to have a study file read."""
        return asyncio.Semaphore(_STUDY_FILES)

    @cached_property
    def failures(self) -> ByteCache[dict[str, Any]]:
        """The failures that were read last."""
        return ByteCache(_FAILURE_BYTES, lambda each: len(json.dumps(each)))


def dashboard_of(request: Request) -> Dashboard:
    """The dashboard that answers this request."""
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard


def root_of(request: Request) -> str:
    """The path below which a proxy serves the dashboard: what every link begins with."""
    return str(request.scope.get("root_path", ""))
