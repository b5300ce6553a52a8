"""``python -m services.dashboard``: serves the dashboard until told to stop.

It listens on MEMTAIL_DASHBOARD_BIND; in a container, where that is the address at which the host
publishes it, on ``--host 0.0.0.0``.
"""

import logging
import os
import sys
from types import FrameType

import click
import uvicorn

from memtail_core.errors import MemtailError, StudyError
from memtail_core.running.processes import ENVIRONMENT
from memtail_core.settings import Settings, settings
from memtail_core.store import open_store

os.environ.update(ENVIRONMENT)  # before torch is imported

from services import broker
from services.dashboard.app import Dashboard, create_app
from services.dashboard.observer import Observer
from services.submission import Cluster

_SHORTEST = 16  # characters of a token that is no invitation to guess


class _Server(uvicorn.Server):
    """Lets those who listen go first, as else they would be waited for."""

    def __init__(self, config: uvicorn.Config, observer: Observer) -> None:
        super().__init__(config)
        self._observer = observer

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the events, then stop as uvicorn does."""
        self._observer.end()
        super().handle_exit(sig, frame)


def open_dashboard(found: Settings) -> Dashboard:
    """The dashboard of these settings; without Redis if none is set.

    Raises:
        StudyError: the token is too short.
        StoreError, BrokerError: an address is wrong.
    """
    token = found.dashboard_token
    if token is not None and len(token.get_secret_value()) < _SHORTEST:
        raise StudyError(f"MEMTAIL_DASHBOARD_TOKEN is too short: {_SHORTEST} characters at least")
    store = open_store(found.store)
    is_alone = found.broker_url is None
    cluster = None if is_alone else Cluster(store, broker.connect(found), found)
    return Dashboard(store, cluster, found, Observer(store, cluster, found.dashboard_look))


def serve(dashboard: Dashboard, host: str, port: int) -> None:
    """Serve until told to stop."""
    config = uvicorn.Config(
        create_app(dashboard),
        host=host.strip("[]"),
        port=port,
        access_log=False,
        log_level="warning",
        proxy_headers=False,  # anyone can write them
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,  # longer than clients keep a connection: they close it, not we
        limit_concurrency=2000,
    )
    _Server(config, dashboard.observer).run()


@click.command()
@click.option("--host", help="The address to listen on. [default: MEMTAIL_DASHBOARD_BIND]")
@click.option("--port", type=int, help="The port. [default: MEMTAIL_DASHBOARD_PORT]")
def main(host: str | None, port: int | None) -> None:
    """Serve the dashboard of the store and the cluster that the settings name."""
    found = settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    host, port = host or found.dashboard_bind, port or found.dashboard_port
    dashboard = open_dashboard(found)
    where = "none" if dashboard.cluster is None else broker.address(found)
    shown = f"[{host}]" if ":" in host.strip("[]") else host
    print(
        f"memtail dashboard: http://{shown}:{port}, store {found.store}, broker {where}", flush=True
    )
    serve(dashboard, host, port)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except MemtailError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
