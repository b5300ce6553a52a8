"""Where studies are kept: a folder or a bucket, behind one small protocol."""

from memtail_core.store.base import ObjectStore
from memtail_core.store.files import FilesStore
from memtail_core.store.location import open_store

__all__ = ["FilesStore", "ObjectStore", "open_store"]
