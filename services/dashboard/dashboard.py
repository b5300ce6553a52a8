"""What every request works with: the store, the cluster, the settings, and what is kept of them."""

from dataclasses import dataclass

from fastapi import Request

from memtail_core.settings import Settings
from memtail_core.store import ObjectStore
from services.dashboard.observer import Observer
from services.submission import Cluster


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


def dashboard_of(request: Request) -> Dashboard:
    """The dashboard that answers this request."""
    found: Dashboard = request.app.state.dashboard
    return found
