"""Choose the pair counter that suits a machine."""

from pathlib import Path

from memtail_core.estimation.influence.counter import PairCounter


def counter_for(device: str = "auto") -> PairCounter:
    """Return the counter for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MachineError: there is no such device.
    """
    from memtail_core.estimation.influence.bit_counter import BitCounter

    if device == "cpu" or (device == "auto" and not _may_have_gpu()):
        return BitCounter()
    from memtail_core.estimation.influence.matrix_counter import MatrixCounter
    from memtail_core.training.device import resolve_device

    found = resolve_device(device)
    return BitCounter() if found == "cpu" else MatrixCounter(found)


def _may_have_gpu() -> bool:
    """Look for a driver; asking torch itself takes seconds."""
    dev = Path("/dev")
    return any(dev.glob("nvidia[0-9]*")) or (dev / "dxg").exists()
