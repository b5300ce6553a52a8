"""Which device trains, one core per process, and the same bits each time."""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import torch

from memtail_core.errors import MachineError


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` or ``cpu``, and refuse a device that is not there."""
    there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if device == "auto":
        return "cuda" if there else "cpu"
    if device not in ["cpu", *(["cuda"] if there else []), *there]:
        found = ", ".join(["cpu", *there])
        raise MachineError(f"--device {device}: this machine has {found}; use auto, or one of them")
    return device


@cache
def machine_kind(device: str) -> str:
    """Name the kind of machine, on two of which the same shard can differ in its last bits."""
    if device != "cpu":
        return torch.cuda.get_device_name(torch.device(device))
    try:
        cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return f"{platform.processor() or platform.machine()} {_instructions()}"
    found = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", cpu, re.MULTILINE))
    number = "-".join(found[key] for key in ("cpu family", "model") if key in found)
    name = found.get("model name", platform.machine())
    return f"{name} {number} {_instructions()}".replace("  ", " ")


def _instructions() -> str:
    return torch.backends.cpu.get_cpu_capability()


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Compute on ``device``, and leave the random streams of this process as they were."""
    is_cuda = device.type == "cuda"
    with (
        torch.cuda.device(device) if is_cuda else nullcontext(),
        torch.random.fork_rng(devices=[device] if is_cuda else []),
    ):
        yield


def use_one_core() -> None:
    """Let this process compute on one thread.

    Processes fill a machine better than threads do for models of this size, and the number of
    threads can change the last bits of a sum: with one each, the bits do not depend on --workers.
    """
    torch.set_num_threads(1)


def compute_reproducibly() -> None:
    """Let a GPU give the same bits each time: deterministic kernels, and float32 is float32."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
