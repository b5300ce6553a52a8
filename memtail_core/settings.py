"""The settings of memtail on this machine: the only file that reads ``MEMTAIL_…`` variables.

They come from the environment, or from a file ``.env`` in the current folder, as Docker Compose
reads it; ``.env.example`` lists them. Secrets print as stars.
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from memtail_core.errors import StudyError

Seconds = Annotated[float, Field(gt=0)]

# Secrets in .env, and the characters that are read differently, by the quotes around a secret.
_SECRET = re.compile(r"\s*(?:export\s+)?(MEMTAIL_\w*(?:PASSWORD|KEY|TOKEN))\s*=\s*(.*?)\s*")
_IN_SINGLE = re.compile(r"'|\\(?=[\\']|$)")
_IN_DOUBLE = re.compile(r"[\"$\\]")
_BARE = re.compile(r"\$|^[\"'`]|(?<=\s)#")


class Settings(BaseSettings):
    """Settings of commands and services: ``MEMTAIL_STORE`` sets ``store``, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="MEMTAIL_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    store: str = "runs"
    """Where studies are kept: a folder, ``s3://bucket`` or ``s3://bucket/prefix``."""
    s3_endpoint: str | None = None
    """The server of the bucket, ``http://host:9000``; ``https`` encrypts."""
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"
    shard_key: Annotated[SecretStr, Field(min_length=16)] | None = None
    """The key that signs shards, at least 16 characters: who has only the key of the bucket cannot
    replace any."""

    broker_url: SecretStr | None = None
    """Redis, ``redis://host:6379/0``, with or without ``:password@``; ``rediss`` encrypts."""
    broker_password: SecretStr | None = None
    """The password of Redis, if ``broker_url`` has none."""

    ca_file: Annotated[
        Path | None, Field(validation_alias=AliasChoices("MEMTAIL_CA_FILE", "SSL_CERT_FILE"))
    ] = None
    """A file of certificates (PEM) to trust in place of the system's, for ``https`` and
    ``rediss``; ``SSL_CERT_FILE`` is another name for it."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """Where a worker trains: ``auto``, ``cpu``, ``cuda`` (every GPU that it sees) or ``cuda:1``."""
    processes: Annotated[int, Field(ge=1)] = 1
    """Shards a worker trains at once, each in a process on one core; on a GPU always one."""
    cache: Path = Path("~/.cache/memtail")
    """The folder where memtail packs data larger than memory, and keeps datasets it fetched from a
    bucket."""
    cache_bytes: Annotated[int, Field(ge=1)] | None = None
    """The most bytes that the parts of packed data may take there; parts that were not used for
    longest are dropped. By default the disk is the limit."""
    allow_python_recipes: bool = False
    """Whether a worker runs code named by a study: ``recipe = "python:module:function"``."""

    checkpoint_every: Seconds = 600.0
    """Seconds between two checkpoints of a shard that is being trained; an interruption loses at
    most these. A shard that takes less has none."""

    most_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Attempts at a shard before it counts as failed."""
    lease: Seconds = 30.0
    """Seconds without a sign of life after which a worker, or another run, counts as lost."""
    scan: Seconds = 5.0
    """Seconds between two checks by the aggregator of what is stored and who trains."""
    publish_every: Seconds = 60.0
    """Least seconds between two provisional reports of a study."""
    visibility_timeout: Seconds = 3600.0
    """Seconds after which Redis itself gives a lost worker's task to another worker. A shard may
    take longer: while its lease holds, the other worker drops the task."""
    grace: Seconds = 540.0
    """Seconds a stopping worker spends on finishing its shard before it gives it back; then the
    next one goes on from the shard's checkpoint, if it has one."""
    store_patience: Seconds = 600.0
    """Seconds a worker keeps trying to reach the store before its attempt fails."""

    dashboard_token: SecretStr | None = None
    """The token required to change anything on the dashboard; without one it is read-only."""
    dashboard_bind: str = "127.0.0.1"
    """The address the dashboard is served on. Other than on this machine's own, reading requires
    the token too."""
    dashboard_open: bool = False
    """Whether reading requires no token on any address."""
    dashboard_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    dashboard_hosts: str = ""
    """More host names the dashboard answers to, ``memtail.example.org,dashboard``."""
    dashboard_prefix: str = ""
    """The path below which a proxy serves the dashboard, ``/memtail``."""
    dashboard_proxies: str = ""
    """Addresses or networks of the proxies in front of the dashboard, ``127.0.0.1,10.0.0.0/24``:
    whose X-Forwarded-… headers are believed."""
    dashboard_look: Seconds = 2.0
    """Seconds between two checks of the store and Redis by the dashboard."""
    dashboard_most_bytes: Annotated[int, Field(ge=1)] = 256 * 2**20
    """The largest dataset, in bytes, that a client may upload to the dashboard."""


def settings() -> Settings:
    """Read the settings as they are now.

    Raises:
        StudyError: one of them is wrong; the message names it and not its value.
    """
    try:
        return Settings()
    except (ValidationError, UnicodeDecodeError) as error:
        raise StudyError(_sentence(error)) from None


def _sentence(error: ValidationError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the file .env in this folder is not UTF-8 text"
    first = error.errors(include_input=False, include_url=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    name = name if name in ("MEMTAIL_CA_FILE", "SSL_CERT_FILE") else f"MEMTAIL_{name}"
    return f"{name} is wrong: {first['msg'].lower()} (the environment, or .env)"


def ambiguity(name: str, file: Path = Path(".env")) -> str | None:
    """What Docker Compose and memtail read differently in a secret of ``.env``; None if nothing.

    Both read the file, each in its own way: Compose replaces ``$word``, and neither agrees with the
    other on a backslash in quotes. The sentence has the character, and not the secret.
    """
    return ambiguities(file).get(name)


def ambiguities(file: Path = Path(".env")) -> dict[str, str]:
    """The same for all secrets of the file, by name."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    secrets = (match for line in lines if (match := _SECRET.fullmatch(line)))
    sentences = ((each[1], _difference(each[1], each[2])) for each in secrets)
    return {name: sentence for name, sentence in sentences if sentence}


def _difference(name: str, value: str) -> str | None:
    is_quoted = len(value) > 1 and value[0] in ("'", '"') and value[-1] == value[0]
    quote = value[0] if is_quoted else ""
    rule = {"'": _IN_SINGLE, '"': _IN_DOUBLE, "": _BARE}[quote]
    found = rule.search(value[1:-1] if quote else value)
    if found is None:
        return None
    mend = "take another character" if quote == "'" else "put the value in single quotes"
    return (
        f"{name} in .env has the character {found[0]}, which docker compose and memtail read "
        f"differently: {mend}"
    )
