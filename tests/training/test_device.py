import pytest
import torch

from memtail_core.training.device import is_out_of_memory, machine_kind


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_memory_running_out_is_told_from_other_errors(error: Exception) -> None:
    assert is_out_of_memory(error)
    try:
        try:
            raise error
        except (MemoryError, RuntimeError):
            raise RuntimeError("the capture was invalidated")  # noqa: B904
    except RuntimeError as later:
        assert is_out_of_memory(later), "what followed from it"
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_machine_has_a_name() -> None:
    kind = machine_kind("cpu")
    assert torch.backends.cpu.get_cpu_capability() in kind
    assert kind == kind.strip()
    assert "\n" not in kind
