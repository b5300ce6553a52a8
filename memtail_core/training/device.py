"""Which device trains, one core per process, and the same bits each time."""

import torch

from memtail_core.errors import TrainingError


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` or ``cpu``, and refuse a device that is not there."""
    there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if device == "auto":
        return "cuda" if there else "cpu"
    if device not in ["cpu", *(["cuda"] if there else []), *there]:
        found = ", ".join(["cpu", *there])
        raise TrainingError(
            f"--device {device}: this machine has {found}; use auto, or one of them"
        )
    return device


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
