"""The engine that suits a machine."""

from pathlib import Path

from memtail_core.estimation.influence.engine import Engine


def engine_for(device: str = "auto") -> Engine:
    """Return the engine for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MachineError: there is no such device.
    """
    from memtail_core.estimation.influence.processor import Processor

    if device == "cpu" or (device == "auto" and not _may_have_gpu()):
        return Processor()
    from memtail_core.estimation.influence.tensors import Tensors
    from memtail_core.training.device import resolve_device

    found = resolve_device(device)
    return Processor() if found == "cpu" else Tensors(found)


def _may_have_gpu() -> bool:
    """Look for a driver; asking torch itself takes seconds."""
    dev = Path("/dev")
    return any(dev.glob("nvidia[0-9]*")) or (dev / "dxg").exists()
