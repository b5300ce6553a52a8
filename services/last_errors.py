"""What went wrong last at a worker: one record in Redis for each worker and study.

A worker that fails at a study, or leaves it to others, says so here, until it stores a shard of it.
Who shows workers, or judges their health, reads it.
"""

from contextlib import suppress
from typing import Annotated

import redis
from pydantic import Field

from services import records
from services.presence import Presence
from services.records import Record, Seconds

_PREFIX = "memtail:error:"
_REMEMBERED = 600  # seconds; then others take it for a worker like any other


class LastError(Record):
    """The last error of a worker at a study.

    Attributes:
        worker, study: which.
        reason: one line.
        when: seconds since 1970.
        in_a_row: how often it has failed since it last stored a shard of the study.
        is_aside: whether the worker leaves the study to others: it cannot train it at all.
    """

    worker: str
    study: str
    reason: str
    when: Seconds
    in_a_row: Annotated[int, Field(ge=1, le=10**9)] = 1
    is_aside: bool = False

    @property
    def key(self) -> str:
        """Its key in Redis."""
        return f"{_PREFIX}{self.study}:{self.worker}"

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        if self.is_aside:
            return f"leaves {self.study} to other workers: {self.reason}"
        times = "failed" if self.in_a_row == 1 else f"failed {self.in_a_row} times in a row"
        return f"{times} at {self.study}: {self.reason}"


def note(client: "redis.Redis", error: LastError) -> None:
    """Note an error; those since the last stored shard are counted."""
    with suppress(redis.RedisError):
        before = records.under(client, error.key, LastError).get(error.key)
        count = before.in_a_row + 1 if before else 1
        now = error.model_copy(update={"in_a_row": count})
        client.set(error.key, now.model_dump_json(), ex=_REMEMBERED)


def clear(client: "redis.Redis", worker: str, study_id: str) -> None:
    """Forget the error of a worker that has stored a shard of the study."""
    with suppress(redis.RedisError):
        client.delete(f"{_PREFIX}{study_id}:{worker}")


def current(client: "redis.Redis", study_id: str = "*") -> list[LastError]:
    """The errors at one study or at all, the latest first."""
    found = records.under(client, f"{_PREFIX}{study_id}:*", LastError)
    errors = (error for key, error in found.items() if error.key == key)
    return sorted(errors, key=lambda error: -error.when)


def others(client: "redis.Redis", study_id: str, of: list[Presence], worker: str) -> list[Presence]:
    """Those workers other than ``worker`` that do not leave the study to others."""
    aside = {error.worker for error in current(client, study_id) if error.is_aside}
    return [each for each in of if each.name != worker and each.name not in aside]
