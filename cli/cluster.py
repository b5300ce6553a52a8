"""The connection of commands to the cluster, with its errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memtail_core.errors import StudyError

if TYPE_CHECKING:
    from services.submission import Cluster


@contextmanager
def connected(location: str) -> Iterator["Cluster"]:
    """Yield the cluster of the settings, with the store at ``location``.

    Raises:
        StudyError: the extra ``cluster`` is not installed.
        BrokerError, StoreError: one of them cannot be reached, also later in the block.
    """
    from memtail_core.settings import settings as read_settings
    from memtail_core.store import open_store

    try:
        from services import broker
        from services.submission import Cluster
    except ModuleNotFoundError as error:
        raise StudyError(
            f"a cluster needs {error.name}: pip install 'memtail[cluster]' (memtail run needs none)"
        ) from error
    settings = read_settings()
    client = broker.connect(settings)
    with broker.reached(settings):
        broker.connect(settings, retries=0).ping()  # without repeating what a silent server costs
        yield Cluster(open_store(location), client, settings)
