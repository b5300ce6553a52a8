"""``python -m services.dashboard``: serves the dashboard until it is stopped.

It listens on MEMTAIL_DASHBOARD_BIND. In a container that is the address at which the host publishes
the port, so there it is started with ``--host 0.0.0.0``.
"""

import logging
import os
import sys
from types import FrameType

import click
import uvicorn

from memtail_core.errors import MemtailError, StudyError
from memtail_core.running.processes import ENVIRONMENT
from memtail_core.settings import Settings
from memtail_core.settings import settings as read_settings
from memtail_core.store import open_store

os.environ.update(ENVIRONMENT)  # before torch is imported

from services import broker
from services.dashboard import connections
from services.dashboard.app import Dashboard, create_app
from services.dashboard.connections import Patience
from services.dashboard.monitor import Monitor
from services.submission import Cluster

_SHORTEST = 16  # characters of a token


class _Server(uvicorn.Server):
    """Ends the event streams first: uvicorn would wait for them."""

    def __init__(self, config: uvicorn.Config, monitor: Monitor) -> None:
        super().__init__(config)
        self._monitor = monitor

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the events, then stop as uvicorn does."""
        self._monitor.end()
        super().handle_exit(sig, frame)


def open_dashboard(settings: Settings) -> Dashboard:
    """The dashboard for these settings; without a cluster if no broker is set.

    Raises:
        StudyError: the token is too short.
        StoreError, BrokerError: an address is wrong.
    """
    token = settings.dashboard_token
    if token is not None and len(token.get_secret_value()) < _SHORTEST:
        raise StudyError(
            f"MEMTAIL_DASHBOARD_TOKEN is too short: use at least {_SHORTEST} characters"
        )
    store = open_store(settings.store)
    has_broker = settings.broker_url is not None
    cluster = Cluster(store, broker.connect(settings), settings) if has_broker else None
    return Dashboard(store, cluster, settings, Monitor(store, cluster, settings.dashboard_look))


def serve(dashboard: Dashboard, host: str, port: int) -> None:
    """Serve until stopped."""
    _Server(configuration(dashboard, host, port), dashboard.monitor).run()


def configuration(
    dashboard: Dashboard, host: str, port: int, patience: Patience | None = None
) -> uvicorn.Config:
    """How uvicorn serves the dashboard."""
    return uvicorn.Config(
        create_app(dashboard),
        http=connections.protocol(dashboard.places, patience or Patience()),
        ws="none",
        host=host.strip("[]"),
        port=port,
        access_log=False,
        log_level="warning",
        proxy_headers=False,  # the app believes those of named proxies
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,  # longer than clients keep a connection, so that they close it
        limit_concurrency=dashboard.places.connections,
    )


@click.command()
@click.option("--host", help="The address to listen on. [default: MEMTAIL_DASHBOARD_BIND]")
@click.option("--port", type=int, help="The port. [default: MEMTAIL_DASHBOARD_PORT]")
def main(host: str | None, port: int | None) -> None:
    """Serve the dashboard for the store and the cluster in the settings."""
    settings = read_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    host, port = host or settings.dashboard_bind, port or settings.dashboard_port
    dashboard = open_dashboard(settings)
    redis = "none" if dashboard.cluster is None else broker.address(settings)
    name = f"[{host}]" if ":" in host.strip("[]") else host
    print(
        f"memtail dashboard: http://{name}:{port}, store {settings.store}, broker {redis}",
        flush=True,
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
