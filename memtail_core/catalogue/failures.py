"""Failed attempts at shards: one object for each, beside the shards.

``studies/<id>/failures/<shard>/<attempt>-<kind>.json``. The listing alone tells which shards are
tried again and which are given up. Two who record the same attempt write the same key.
"""

import re
import traceback
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from memtail_core.errors import (
    DamagedError,
    DatasetError,
    MachineError,
    OutOfMemoryError,
    StudyError,
    TrainingError,
)
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study

Kind = Literal["study", "machine", "last"]

_FILE = re.compile(r"([1-9]\d{0,3})-(study|machine|last)\.json")


class Failure(BaseModel):
    """One attempt at a shard that failed.

    Attributes:
        shard: its name, ``0000000-0000010``.
        attempt: 1 for the first.
        kind: "study": its code, recipe or data are wrong, and trying again changes nothing;
            "machine": a worker was lost, had too little memory, or did not reach the store, and the
            shard is tried again; "last": the same, in the last attempt allowed.
        reason: one line.
        worker: which worker tried.
        when: seconds since 1970.
        traceback: of the error, if there was one.
    """

    model_config = ConfigDict(frozen=True)

    shard: str
    attempt: Annotated[int, Field(ge=1, le=9999)]
    kind: Kind
    reason: str
    worker: str
    when: Annotated[float, Field(ge=0, le=1e12)]
    traceback: str = ""

    @classmethod
    def of(
        cls, error: BaseException, shard: Shard, attempt: int, most: int, worker: str
    ) -> "Failure":
        """Describe ``error``, with its traceback, at an attempt of at most ``most``."""
        is_study = isinstance(error, StudyError | DatasetError | TrainingError)
        kind: Kind = "machine" if attempt < most else "last"
        if is_study and not isinstance(error, MachineError | OutOfMemoryError):
            kind = "study"
        reason = " ".join(f"{error}".split()) or type(error).__name__
        if not is_study:
            reason = f"{type(error).__name__}: {reason}"
        return cls(
            shard=shard.name,
            attempt=attempt,
            kind=kind,
            reason=reason,
            worker=worker,
            when=datetime.now(UTC).timestamp(),
            traceback="".join(traceback.format_exception(error)),
        )


def record(store: ObjectStore, study_id: str, failure: Failure) -> None:
    """Store a failure, by the study's id: its ``study.json`` may be what cannot be read."""
    key = f"{_prefix(study_id)}{failure.shard}/{failure.attempt}-{failure.kind}.json"
    store.put(key, failure.model_dump_json(indent=2).encode())


def last_attempt(store: ObjectStore, study_id: str, shard: Shard) -> int:
    """The number of the last recorded attempt at a shard; 0 if none failed."""
    keys = store.list(f"{_prefix(study_id)}{shard.name}/")
    files = (_FILE.fullmatch(key.rpartition("/")[2]) for key in keys)
    return max((int(file[1]) for file in files if file), default=0)


def attempts(store: ObjectStore, study: Study) -> dict[Shard, list[tuple[int, Kind]]]:
    """The failed attempts at each shard, (number, kind), ascending; from the listing alone."""
    by_shard: dict[Shard, list[tuple[int, Kind]]] = {}
    for key in store.list(_prefix(study.id)):
        _, name, file = key.rsplit("/", 2)
        shard, parts = shards.named(study, name), _FILE.fullmatch(file)
        if shard and parts:
            by_shard.setdefault(shard, []).append((int(parts[1]), cast(Kind, parts[2])))
    return {shard: sorted(each) for shard, each in by_shard.items()}


def read(store: ObjectStore, study: Study, shard: Shard | None = None) -> list[Failure]:
    """Every failure of the study, or of one shard, the earliest first."""
    every = []
    for key in store.list(_prefix(study.id) + (f"{shard.name}/" if shard else "")):
        try:
            every.append(Failure.model_validate_json(store.get(key)))
        except (KeyError, ValidationError, DamagedError):  # removed since, or not memtail's
            continue
    return sorted(every, key=lambda failure: failure.when)


def most_serious(store: ObjectStore, study: Study, most: int) -> tuple[list[Failure], int]:
    """Read at most ``most`` failures, those that stopped something first; and count them all."""
    keys = list(store.list(_prefix(study.id)))
    some = []
    for key in sorted(keys, key=lambda key: ("-machine." in key, key))[:most]:
        with suppress(KeyError, ValidationError, DamagedError):  # removed since, or not memtail's
            some.append(Failure.model_validate_json(store.get(key)))
    some.sort(key=lambda failure: (failure.kind == "machine", -failure.when))
    return some, len(keys)


def forget(store: ObjectStore, study: Study, which: Iterable[Shard]) -> None:
    """Delete the failures of these shards: they count as never tried."""
    for shard in which:
        for key in list(store.list(f"{_prefix(study.id)}{shard.name}/")):
            store.delete(key)


def _prefix(study_id: str) -> str:
    return f"studies/{study_id}/failures/"
