"""Where this machine's memtail works: the one place that reads ``MEMTAIL_…`` variables.

They come from the environment, or from a file ``.env`` in the current folder, as Docker Compose
reads it; ``.env.example`` lists them. Secrets are never printed: they show as stars.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from memtail_core.errors import StudyError

Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """The settings of commands and services; the name in upper case after ``MEMTAIL_`` sets one."""

    model_config = SettingsConfigDict(
        env_prefix="MEMTAIL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    store: str = "runs"
    """The folder of the studies, or ``s3://bucket`` or ``s3://bucket/prefix``."""
    s3_endpoint: str | None = None
    """``http://host:9000`` of the server that has the bucket; with ``https`` encrypted."""
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"

    broker_url: SecretStr | None = None
    """``redis://host:6379/0``, with or without ``:password@``; ``rediss`` encrypted."""
    broker_password: SecretStr | None = None
    """The password, where the address has none."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """Where a worker trains: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``."""
    processes: Annotated[int, Field(ge=1)] = 1
    """Shards that a worker trains at once, each in a process with one core; on a GPU always one."""
    cache: Path = Path("~/.cache/memtail")
    """Where a worker keeps the datasets it has fetched from a bucket."""
    allow_python_recipes: bool = False
    """Whether a worker runs code that a study names: ``recipe = "python:module:function"``."""

    most_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """How often a shard is tried before it counts as failed."""
    lease: Seconds = 30.0
    """Seconds after which a worker that no longer says it is training counts as lost."""
    scan: Seconds = 5.0
    """Seconds between two looks of the aggregator at what is stored and who trains."""
    publish_every: Seconds = 60.0
    """Seconds at least between two provisional reports of a study."""
    visibility_timeout: Seconds = 3600.0
    """Seconds after which Redis hands a task to another worker, if nothing else noticed before."""
    grace: Seconds = 540.0
    """Seconds a worker that is told to stop goes on with its shard before it gives it back."""
    store_patience: Seconds = 600.0
    """Seconds for which a worker goes on trying to reach the store before its attempt fails."""

    dashboard_token: SecretStr | None = None
    """What the dashboard wants of whoever changes something; without one, nobody can."""
    dashboard_bind: str = "127.0.0.1"
    """The address at which others reach the dashboard; but for this machine's own, reading wants
    the token too."""
    dashboard_open: bool = False
    """Whether reading is free on any address."""
    dashboard_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    dashboard_hosts: str = ""
    """Further names that the dashboard answers to, ``memtail.example.org,dashboard``."""
    dashboard_look: Seconds = 2.0
    """Seconds between two looks of the dashboard at the store and at Redis."""
    dashboard_most_bytes: Annotated[int, Field(ge=1)] = 256 * 2**20
    """The largest dataset that the dashboard takes from a client."""


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
    return f"MEMTAIL_{name} is wrong: {first['msg'].lower()} (the environment, or .env)"
