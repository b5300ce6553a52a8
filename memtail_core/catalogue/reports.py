"""Reports in a store, ``studies/<id>/report/``: write one, check that it is whole, fetch it.

``manifest.json``, written last, has the digest of every other file. Where it and the files agree,
the report is whole: one publisher wrote it and was not interrupted.
"""

import hashlib
from importlib.metadata import version as installed
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from memtail_core.errors import DamagedError, StoreError
from memtail_core.store import ObjectStore
from memtail_core.store.base import is_key
from memtail_core.store.document import document
from memtail_core.study import Study

PAGE = "index.html"
VERSION = installed("memtail")


def checked_name(name: str) -> str:
    """Check the name of a report's file, which becomes part of a key and of a path."""
    if not is_key(name):
        raise ValueError("not the name of a file of a report")
    return name


class Manifest(BaseModel):
    """The files of a report.

    Attributes:
        trials: how many it is made from.
        files: name below ``report/`` → SHA-256.
        version: of the memtail that made it; None: one that did not say.
    """

    model_config = ConfigDict(frozen=True)

    trials: Annotated[int, Field(ge=0, le=10**9)]
    files: dict[Annotated[str, AfterValidator(checked_name)], str]
    version: str | None = None


def write(store: ObjectStore, study: Study, files: dict[str, bytes], trials: int) -> None:
    """Put the files of a report, its manifest last, and delete other files of an earlier one."""
    prefix = _prefix(study)
    for name, content in files.items():
        store.put(prefix + name, content)
    digests = {name: _digest(files[name]) for name in files}
    manifest = Manifest(trials=trials, files=digests, version=VERSION)
    store.put(_manifest(study), manifest.model_dump_json(indent=2).encode())
    kept = {_manifest(study), *(prefix + name for name in files)}
    for key in set(store.list(prefix)) - kept:
        store.delete(key)


def whole(store: ObjectStore, study: Study) -> Manifest | None:
    """The manifest of the stored report; None if there is none that is whole."""
    try:
        manifest = _read(store, study)
        are_alike = all(
            store.digest(_prefix(study) + name) == digest for name, digest in manifest.files.items()
        )
    except (KeyError, ValidationError, DamagedError):
        return None
    return manifest if are_alike else None


def fetch(store: ObjectStore, study: Study) -> dict[str, bytes] | None:
    """Every file of the stored report by name; None if there is none that is whole."""
    try:
        manifest = _read(store, study)
        files = {name: store.get(_prefix(study) + name) for name in manifest.files}
    except (KeyError, ValidationError, DamagedError):
        return None
    are_alike = all(_digest(files[name]) == digest for name, digest in manifest.files.items())
    return files if are_alike else None


def read(store: ObjectStore, study: Study, manifest: Manifest, name: str) -> bytes | None:
    """One file of the report of this manifest; None if it was replaced or is not listed there."""
    if name not in manifest.files or not is_key(name):
        return None
    try:
        content = store.get(_prefix(study) + name)
    except (KeyError, DamagedError):
        return None
    return content if _digest(content) == manifest.files[name] else None


def summary(content: bytes, study: Study) -> dict[str, Any]:
    """Read the content of ``summary.json``.

    Raises:
        StoreError: it is none.
    """
    try:
        read = document(content)
        if isinstance(read, dict):
            return read
    except ValueError:
        pass
    raise StoreError(
        f"summary.json in the report of {study.id} is damaged: memtail report {study.id}"
    )


def latest(store: ObjectStore, study: Study) -> Manifest | None:
    """The manifest as it is now, whether or not the files agree with it."""
    try:
        return _read(store, study)
    except (KeyError, ValidationError, DamagedError):
        return None


def version(store: ObjectStore, study: Study) -> str | None:
    """A string that changes with every published report; None before the first."""
    try:
        return store.digest(_manifest(study))
    except (KeyError, DamagedError):
        return None


def page_key(study: Study) -> str:
    """Where the report's page is."""
    return _prefix(study) + PAGE


def _read(store: ObjectStore, study: Study) -> Manifest:
    return Manifest.model_validate_json(store.get(_manifest(study)))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _prefix(study: Study) -> str:
    return f"{study.prefix}report/"


def _manifest(study: Study) -> str:
    return f"{_prefix(study)}manifest.json"
