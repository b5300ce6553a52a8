"""Memory that runs out is the machine's fault, whoever notices and however it is said."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from memtail_core import training
from memtail_core.catalogue.failures import Failure
from memtail_core.data import Dataset
from memtail_core.errors import OutOfMemoryError, StoreError
from memtail_core.plan.shards import Shard
from memtail_core.training.memory import is_out_of_memory, reporting_out_of_memory
from tests.training.test_engines import digits


def numpys_own() -> Exception:
    with pytest.raises(MemoryError) as raised:
        np.empty(2**50)
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        numpys_own(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes."),
    ],
)
def test_memory_running_out_differs_from_other_errors(error: Exception) -> None:
    assert is_out_of_memory(error)
    try:
        try:
            raise error
        except (MemoryError, RuntimeError):
            raise RuntimeError("the capture was invalidated")  # noqa: B904
    except RuntimeError as later:
        assert is_out_of_memory(later), "what followed from it"
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_other_errors_pass_unchanged() -> None:
    for error in (ValueError("the user's own mistake"), StoreError("out of memory, says a disk")):
        with pytest.raises(type(error)) as raised, reporting_out_of_memory("mlp", "cpu", "x"):
            raise error
        assert raised.value is error


def trained(images: Dataset, table: dict[str, Any]) -> None:
    engine = training.resolve(table, images, 175).engine("cpu")
    engine.train(images, np.ones((1, 250), bool), np.array([0]))


@pytest.mark.parametrize(
    "how", ["python", "numpy", "torch", "gpu", "jax", "scikit-learn", "exit", "predict"]
)
@pytest.mark.filterwarnings("ignore:.*fits failed")
def test_a_users_recipe_that_runs_out_of_memory_is_not_a_wrong_recipe(how: str) -> None:
    table = {"recipe": "python:tests.training.user_recipe:out_of_memory", "how": how}
    with pytest.raises(OutOfMemoryError) as raised:
        trained(digits(), table)
    message = str(raised.value)
    assert message.startswith(f"out of memory on cpu while training '{table['recipe']}'")
    assert "fewer --workers" in message
    assert "\n" not in message
    failure = Failure.of(raised.value, Shard(0, 5), attempt=1, most=3, worker="some worker")
    assert failure.kind == "machine", "tried again, perhaps elsewhere; it does not stop the study"


@pytest.mark.parametrize("method", ["fit", "predict", "predict_proba"])
def test_a_classifier_of_scikit_learn_that_runs_out_of_memory_is_not_a_wrong_recipe(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RandomForestClassifier, method, lambda *_: np.empty(2**50))
    with pytest.raises(OutOfMemoryError, match=r"out of memory on cpu .*sklearn:ensemble.Random"):
        trained(digits(), {"recipe": "sklearn:ensemble.RandomForestClassifier"})
