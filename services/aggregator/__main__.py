"""``python -m services.aggregator``: starts the loop, and ends it when told to stop."""

import logging
import os
import signal
import sys
from contextlib import suppress

from memtail_core.errors import MemtailError
from memtail_core.running.processes import ENVIRONMENT
from memtail_core.settings import settings
from memtail_core.store import open_store

os.environ.update(ENVIRONMENT)  # before torch is imported


def main() -> None:
    """Look after the studies, until told to stop."""
    from services import broker
    from services.aggregator.aggregator import Aggregator
    from services.submission import Cluster

    found = settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    print(f"memtail aggregator: store {found.store}, broker {broker.address(found)}", flush=True)
    os.nice(10)  # a report can wait for what trains on the same machine
    cluster = Cluster(open_store(found.store), broker.connect(found), found)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        Aggregator(cluster).run()
    os._exit(0)  # a report under way is not waited for: it is published again


if __name__ == "__main__":
    try:
        main()
    except MemtailError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
