"""Which device trains, and one core per process."""

import torch

from memtail_core.errors import TrainingError


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` or ``cpu``, and refuse a device that is not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(f"--device {device}: this machine has no CUDA device; use cpu or auto")
    return device


def use_one_core() -> None:
    """Let this process compute on one thread.

    Processes fill a machine better than threads do for models of this size, and the number of
    threads can change the last bits of a sum: with one each, the bits do not depend on --workers.
    """
    torch.set_num_threads(1)
