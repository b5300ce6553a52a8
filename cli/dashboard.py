"""``memtail dashboard``: the dashboard for a browser on this machine, with nothing to set up."""

import errno
import os
import socket
import sys
import threading
import time
import webbrowser
from contextlib import suppress

import click

from cli.options import store_option
from memtail_core.errors import MachineError, StudyError
from memtail_core.settings import settings

_HOST = "127.0.0.1"
_STARTS = 30.0  # seconds in which the server has to answer, or no browser is opened


@click.command()
@store_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=lambda: settings().dashboard_port,
    show_default="8080, or MEMTAIL_DASHBOARD_PORT",
    help="Serve on this port of 127.0.0.1.",
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def dashboard(location: str, port: int, no_browser: bool) -> None:
    """Show the studies as live web pages in your browser.

    Ctrl-C ends it. With a cluster (MEMTAIL_BROKER_URL) the pages also show what each worker trains;
    with MEMTAIL_DASHBOARD_TOKEN they can submit, cancel and retry studies.
    """
    try:
        from services.dashboard.__main__ import open_dashboard, serve
    except ModuleNotFoundError as error:
        raise StudyError(
            f"the dashboard needs {error.name}: pip install 'memtail[dashboard]'"
        ) from error
    found = settings().model_copy(update={"store": location, "dashboard_bind": _HOST})
    shown = open_dashboard(found)
    _check_free(port)
    address = f"http://{_HOST}:{port}"
    click.echo(f"{address} shows the studies in {location}; Ctrl-C ends it")
    if not no_browser and _has_screen():
        threading.Thread(target=_open, args=(address, port), daemon=True).start()
    with suppress(KeyboardInterrupt):
        serve(shown, _HOST, port)


def _check_free(port: int) -> None:
    """Fail in one line where the port cannot be had.

    Raises:
        MachineError: someone else has it, or it is not for everyone.
    """
    try:
        socket.create_server((_HOST, port)).close()
    except OSError as error:
        what = "is taken" if error.errno == errno.EADDRINUSE else "cannot be had"
        raise MachineError(
            f"port {port} of {_HOST} {what}: give another with --port, or end what has it"
        ) from error


def _has_screen() -> bool:
    """Whether a browser would have a window: one in the terminal would be in the way."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _open(address: str, port: int) -> None:
    deadline = time.monotonic() + _STARTS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            webbrowser.open(address)
            return
        time.sleep(0.1)
