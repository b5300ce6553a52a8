"""Where studies are kept: a folder or a bucket, behind one small protocol."""

from memtail_core.store.base import Entry, ObjectStore
from memtail_core.store.files import FilesStore
from memtail_core.store.listed import Contents, ListedStore
from memtail_core.store.location import open_store

__all__ = ["Contents", "Entry", "FilesStore", "ListedStore", "ObjectStore", "open_store"]
