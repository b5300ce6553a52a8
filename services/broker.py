"""The connection to Redis: its address, a client, and errors in one sentence.

Redis holds the queue and what workers report. All of it may vanish at any time: only the store
is the truth.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote, urlsplit, urlunsplit

import redis
from kombu.exceptions import OperationalError
from pydantic import BaseModel, Field
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from memtail_core.errors import MemtailError
from memtail_core.settings import Settings, ambiguity
from memtail_core.store import tls
from memtail_core.study import ID
from services import records
from services.records import Record

_TIMEOUT = 5.0  # seconds for one answer
_SUBMISSIONS = "memtail:submissions"
_SUBMITTED = "memtail:submitted"
_MOST_SUBMITTED = 1000
_ALL = 0  # entries of a list


class _Headers(BaseModel):
    id: str


class _Message(BaseModel):
    """What Celery puts into a queue, as far as it is read here."""

    headers: _Headers


class _Submission(Record):
    """What was submitted, cancelled or retried, and the number of that submission."""

    number: int
    study: Annotated[str, Field(pattern=f"^{ID}$")]


class BrokerError(MemtailError):
    """Redis cannot be reached, or refuses the password."""


class RefusedError(BrokerError):
    """Redis is there, and trying again changes nothing: a setting is wrong."""


def url(settings: Settings) -> str:
    """Return the address of the broker with its password: never print it.

    Raises:
        BrokerError: no address is set, or it is not one of Redis.
    """
    if settings.broker_url is None:
        raise BrokerError(
            "no cluster is configured: set MEMTAIL_BROKER_URL to redis://HOST:6379/0 in the "
            "environment or in .env (memtail run needs no cluster)"
        )
    try:
        parts = urlsplit(settings.broker_url.get_secret_value())
        is_sound = parts.scheme in ("redis", "rediss") and parts.hostname and (parts.port or 1)
    except ValueError:
        is_sound = False
    if not is_sound or parts.query or not re.fullmatch(r"/?\d*", parts.path):
        raise BrokerError(
            "MEMTAIL_BROKER_URL is not an address of Redis: write redis://HOST:6379/0"
        )
    if settings.broker_password and not parts.password:
        password = quote(settings.broker_password.get_secret_value(), safe="")
        user = parts.username or ""
        parts = parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}")
    return urlunsplit(parts)


def address(settings: Settings) -> str:
    """The address of the broker without its password, for messages."""
    parts = urlsplit(url(settings))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def encryption(settings: Settings) -> dict[str, Any]:
    """How a client encrypts: no certificate is accepted that is not trusted; {} without TLS."""
    if urlsplit(url(settings)).scheme != "rediss":
        return {}
    trust = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    file = tls.trusted(settings.ca_file)
    return trust if file is None else trust | {"ssl_ca_certs": file}


def connect(settings: Settings, retries: int = 2) -> "redis.Redis":
    """A client of Redis; it connects when first used, and repeats what fails so many times."""
    return redis.Redis.from_url(
        url(settings),
        **encryption(settings),
        decode_responses=True,
        encoding_errors="replace",  # whoever can write to Redis can write what is no UTF-8
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1, base=0.1), retries),
    )


@contextmanager
def reached(settings: Settings) -> Iterator[None]:
    """Turn the many ways in which Redis fails into one sentence.

    Raises:
        BrokerError: instead of what redis-py and kombu raise.
    """
    try:
        yield
    except (redis.RedisError, OperationalError) as error:
        cause = error.__cause__ if isinstance(error, OperationalError) else error
        where = address(settings)
        if isinstance(cause, redis.AuthenticationError) or "Authentication" in str(cause):
            raise RefusedError(
                f"Redis at {where} refuses the password: "
                + (ambiguity("MEMTAIL_BROKER_PASSWORD") or "check MEMTAIL_BROKER_PASSWORD")
            ) from error
        if reason := _fault_of_encryption(error, settings):
            raise RefusedError(
                f"cannot talk to Redis at {where}: {reason} (MEMTAIL_BROKER_URL)"
            ) from error
        raise BrokerError(
            f"cannot reach Redis at {where} ({cause}): check that it runs and that "
            "MEMTAIL_BROKER_URL is right"
        ) from error


def _fault_of_encryption(error: Exception, settings: Settings) -> str | None:
    parts = urlsplit(url(settings))
    name, port = parts.hostname or "", parts.port or 6379
    if parts.scheme == "rediss":
        return tls.fault(error, name, port, "redis", "rediss")
    is_cut = isinstance(error, redis.ConnectionError | redis.InvalidResponse | redis.TimeoutError)
    return tls.expects_tls(name, port, "redis", "rediss") if is_cut else None


def queue_length(client: "redis.Redis", queue: str) -> int:
    """The number of tasks that wait; those that a worker has taken do not count."""
    return records.length(client, queue)


def waiting(client: "redis.Redis", queue: str) -> set[str]:
    """The ids of the tasks that wait, without those that a worker has taken."""
    messages, _ = records.within(client, queue, _ALL, _Message)
    return {message.headers.id for message in messages}


def run_id(client: "redis.Redis") -> str:
    """An id that changes when Redis restarts, with or without its data."""
    return str(client.info("server")["run_id"])


def memory_policy(client: "redis.Redis") -> str:
    """What Redis does when its memory is full; anything but ``noeviction`` can lose tasks."""
    return str(client.info("memory").get("maxmemory_policy", "unknown"))


def announce_submission(client: "redis.Redis", study_id: str) -> None:
    """Let aggregators and dashboards look at a study at once: something was asked of it."""
    number = time.time_ns()
    with client.pipeline(transaction=True) as pipe:
        pipe.set(_SUBMISSIONS, number)  # whatever was there
        pipe.lpush(_SUBMITTED, _Submission(number=number, study=study_id).model_dump_json())
        pipe.ltrim(_SUBMITTED, 0, _MOST_SUBMITTED - 1)
        pipe.execute(raise_on_error=False)  # the list may be something else: then all are looked at


def submissions(client: "redis.Redis") -> int:
    """A number that changes with each submission."""
    return records.number(client, _SUBMISSIONS)


def submitted(client: "redis.Redis", since: int) -> set[str] | None:
    """The studies that were announced after the submission ``since``; None if nobody knows."""
    studies: set[str] = set()
    announced, n = records.within(client, _SUBMITTED, _MOST_SUBMITTED, _Submission)
    for each in announced:
        if each.number == since:
            return studies
        studies.add(each.study)
    return studies if since == 0 and n < _MOST_SUBMITTED else None
