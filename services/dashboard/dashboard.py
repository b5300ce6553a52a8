"""What every request works with: the store, the cluster, the settings, and what is kept of them."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import Request

from memtail_core.settings import Settings
from memtail_core.store import ObjectStore
from services.dashboard.detail import Details
from services.dashboard.influence import Influence
from services.dashboard.kept import Kept
from services.dashboard.limits import Rates
from services.dashboard.observer import Observer
from services.dashboard.reports import Reports
from services.dashboard.uploads import Uploads
from services.submission import Cluster

_FAILURE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Dashboard:
    """The parts of one dashboard.

    Attributes:
        store: where the studies are.
        cluster: where they are trained; None: only to be looked at.
        settings: who may do what.
        observer: who looks.
    """

    store: ObjectStore
    cluster: Cluster | None
    settings: Settings
    observer: Observer

    @cached_property
    def reports(self) -> Reports:
        """The published reports."""
        return Reports(self.store)

    @cached_property
    def influence(self) -> Influence:
        """Influence of one example."""
        return Influence(self.store)

    @cached_property
    def details(self) -> Details:
        """What the page of a study shows."""
        return Details(self.store)

    @cached_property
    def uploads(self) -> Uploads:
        """Data that clients send."""
        return Uploads(self.store, self.settings.dashboard_most_bytes)

    @cached_property
    def rates(self) -> Rates:
        """How often clients ask for changes."""
        return Rates()

    @cached_property
    def failures(self) -> Kept[dict[str, Any]]:
        """Failures that were read last."""
        return Kept(_FAILURE_BYTES, lambda each: len(json.dumps(each)))


def dashboard_of(request: Request) -> Dashboard:
    """The dashboard that answers this request."""
    found: Dashboard = request.app.state.dashboard
    return found
