"""``python -m services.aggregator``: starts the loop, and ends it when told to stop."""

import logging
import os
import signal
import sys
from contextlib import suppress

from memtail_core.errors import MemtailError
from memtail_core.running.processes import ENVIRONMENT
from memtail_core.settings import settings as read_settings
from memtail_core.store import open_store

os.environ.update(ENVIRONMENT)  # before torch is imported


def main() -> None:
    """Run the aggregator until it is stopped."""
    from services import broker
    from services.aggregator.aggregator import Aggregator
    from services.submission import Cluster

    settings = read_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    print(
        f"memtail aggregator: store {settings.store}, broker {broker.address(settings)}", flush=True
    )
    os.nice(10)  # training on the same machine comes first
    cluster = Cluster(open_store(settings.store), broker.connect(settings), settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        Aggregator(cluster).run()
    os._exit(0)  # without waiting for a report in the making: it is published again


if __name__ == "__main__":
    try:
        main()
    except MemtailError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
