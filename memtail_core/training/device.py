"""The device that trains: which one it is, one core per process, the same bits each time."""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import torch

from memtail_core.errors import MachineError


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` or ``cpu``, and refuse a device this machine does not have."""
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if device == "auto":
        return "cuda" if gpus else "cpu"
    if device not in ["cpu", *(["cuda"] if gpus else []), *gpus]:
        devices = ", ".join(["cpu", *gpus])
        raise MachineError(
            f"--device {device}: this machine has {devices}; use one of these, or auto"
        )
    return device


def every_device(device: str) -> list[str]:
    """The devices that ``device`` names: ``cuda`` is every visible GPU, any other is itself."""
    n = torch.cuda.device_count() if device == "cuda" else 1
    return [f"cuda:{i}" for i in range(n)] if n > 1 else [device]


@cache
def machine_kind(device: str) -> str:
    """Name the kind of machine; on another kind, the last bits of the same shard can differ."""
    if device != "cpu":
        return torch.cuda.get_device_name(torch.device(device))
    try:
        cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return f"{platform.processor() or platform.machine()} {_instructions()}"
    fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", cpu, re.MULTILINE))
    number = "-".join(fields[key] for key in ("cpu family", "model") if key in fields)
    name = fields.get("model name", platform.machine())
    return f"{name} {number} {_instructions()}".replace("  ", " ")


def _instructions() -> str:
    return torch.backends.cpu.get_cpu_capability()


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Compute on ``device`` and restore the random streams of this process afterwards."""
    is_cuda = device.type == "cuda"
    with (
        torch.cuda.device(device) if is_cuda else nullcontext(),
        torch.random.fork_rng(devices=[device] if is_cuda else []),
    ):
        yield


def use_one_core() -> None:
    """Let this process compute on one thread.

    For models of this size, processes use a machine better than threads do. And the number of
    threads can change the last bits of a sum: with one each, the bits do not depend on --workers.
    """
    torch.set_num_threads(1)


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Let this process compute on so many threads until the block ends."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compute_reproducibly() -> None:
    """Let a GPU give the same bits each time: deterministic kernels, and float32 without TF32."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
