import torch

from memtail_core.training.device import machine_kind


def test_a_machine_has_a_name() -> None:
    kind = machine_kind("cpu")
    assert torch.backends.cpu.get_cpu_capability() in kind
    assert kind == kind.strip()
    assert "\n" not in kind
