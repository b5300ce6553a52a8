"""Starts the process that reads what a client sent, and ends it: late, too large, or not wanted."""

import asyncio
import json
import logging
import os
import sys
from dataclasses import dataclass
from typing import Any

from memtail_core.errors import DatasetError, MemtailError, StudyError
from memtail_core.running.processes import ENVIRONMENT

log = logging.getLogger(__name__)

_READERS = "services.dashboard.readers."


@dataclass(frozen=True)
class Limits:
    """What one reading may take.

    Attributes:
        seconds: of a processor; three times as many may pass.
        extra_bytes: of memory, besides what the process has when it begins.
    """

    seconds: int
    extra_bytes: int

    @classmethod
    def of_text(cls) -> "Limits":
        """For a study file."""
        return cls(2, 256 * 2**20)

    @classmethod
    def of_data(cls, most: int) -> "Limits":
        """For a dataset of at most ``most`` bytes."""
        return cls(30 + most // (4 * 2**20), 256 * 2**20 + 6 * most)


async def study_tables(text: str, limits: Limits | None = None) -> dict[str, Any]:
    """The tables in the text of a study file, TOML or JSON.

    Raises:
        StudyError: it is neither, or reading it takes too much.
    """
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise StudyError("the study file is not text: it has half a character") from error
    value, _ = await _read("study_text", content, limits or Limits.of_text(), StudyError)
    return dict(value)


async def dataset(content: bytes, most: int, limits: Limits) -> tuple[dict[str, Any], bytes]:
    """What is said of the data in an npz file, and the file as a store keeps it.

    Args:
        content: an npz file.
        most: bytes that it may have when unpacked.
        limits: of the process.

    Raises:
        DatasetError: no model can be trained on them, or reading them takes too much.
    """
    return await _read("dataset", content, limits, DatasetError, str(most))


async def _read(
    reader: str, content: bytes, limits: Limits, kind: type[MemtailError], *further: str
) -> tuple[Any, bytes]:
    """Have a process read ``content``; a cancelled caller ends it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _READERS + reader),
        *(str(limits.seconds), str(limits.extra_bytes), *further),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(content), 3 * limits.seconds)
    except TimeoutError:
        out = b""
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    head, _, rest = out.partition(b"\n")
    if not head:
        log.warning("reading what a client sent (%s) ended: %s", reader, process.returncode)
        raise kind(
            f"reading it takes more than {limits.seconds} seconds, or more memory than the "
            "dashboard gives it"
        )
    said = json.loads(head)
    if "error" in said:
        raise kind(said["error"])
    return said["read"], rest


def _environment() -> dict[str, str]:
    """Without the secrets of the dashboard, and with the modules that it has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMTAIL_")}
    return kept | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
