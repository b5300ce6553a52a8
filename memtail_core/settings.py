"""The settings of memtail on this machine: the only file that reads ``MEMTAIL_…`` variables.

They come from the environment, or from a file ``.env`` in the current folder, as Docker Compose
reads it; ``.env.example`` lists them. Secrets print as stars.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from memtail_core.errors import StudyError

Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Settings of commands and services: ``MEMTAIL_STORE`` sets ``store``, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="MEMTAIL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    store: str = "runs"
    """Where studies are kept: a folder, ``s3://bucket`` or ``s3://bucket/prefix``."""
    s3_endpoint: str | None = None
    """The server of the bucket, ``http://host:9000``; ``https`` encrypts."""
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"

    broker_url: SecretStr | None = None
    """Redis, ``redis://host:6379/0``, with or without ``:password@``; ``rediss`` encrypts."""
    broker_password: SecretStr | None = None
    """The password of Redis, if ``broker_url`` has none."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """Where a worker trains: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``."""
    processes: Annotated[int, Field(ge=1)] = 1
    """Shards a worker trains at once, each in a process on one core; on a GPU always one."""
    cache: Path = Path("~/.cache/memtail")
    """The folder where a worker keeps datasets it fetched from a bucket."""
    allow_python_recipes: bool = False
    """Whether a worker runs code named by a study: ``recipe = "python:module:function"``."""

    most_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Attempts at a shard before it counts as failed."""
    lease: Seconds = 30.0
    """Seconds without a sign of life after which a worker counts as lost."""
    scan: Seconds = 5.0
    """Seconds between two checks by the aggregator of what is stored and who trains."""
    publish_every: Seconds = 60.0
    """Least seconds between two provisional reports of a study."""
    visibility_timeout: Seconds = 3600.0
    """Seconds after which Redis itself gives a lost worker's task to another worker."""
    grace: Seconds = 540.0
    """Seconds a stopping worker spends on finishing its shard before it gives it back."""
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
    return f"MEMTAIL_{name} is wrong: {first['msg'].lower()} (the environment, or .env)"
