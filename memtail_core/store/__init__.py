"""Where studies live: one small protocol, the same keys in a folder or a bucket."""

from memtail_core.store.base import ObjectStore
from memtail_core.store.files import FilesStore

__all__ = ["FilesStore", "ObjectStore", "open_store"]


def open_store(location: str, patience: float = 5.0) -> ObjectStore:
    """Open the store at ``location``, a folder; it is made when the first object is put."""
    return FilesStore(location)
