import numpy as np
import pytest
import torch

from memtail_core.data import Dataset, InMemory
from memtail_core.data.moments import moments
from memtail_core.training.gradient import resident_data
from memtail_core.training.gradient.batches import Batch
from memtail_core.training.gradient.resident_data import ResidentData

CPU = torch.device("cpu")


def test_standardized_inputs_have_mean_0_and_deviation_1(dataset: Dataset) -> None:
    data = ResidentData(dataset, True, CPU)
    x = data.inputs(data.x_train)
    assert x.shape == (37, 1, 5, 4)
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("standardize", [False, True])
def test_each_channel_is_scaled_by_its_own_moments(standardize: bool) -> None:
    rng = np.random.default_rng(0)
    x = (rng.integers(256, size=(40, 3, 4, 3)) // [1, 2, 4]).astype(np.uint8)
    y = np.arange(40) % 2
    data = ResidentData(Dataset.from_arrays(x, y, x, y), standardize, CPU)
    expected = x / 255
    if standardize:
        expected = (expected - expected.mean((0, 1, 2))) / expected.std((0, 1, 2))
    found = data.inputs(data.x_test).permute(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_inputs_made_once_are_the_bits_of_inputs_made_when_needed(
    dataset: Dataset, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch(
        torch.tensor([[3, 1, 7], [0, 3, 36]]),
        torch.tensor([[True, False, True], [False, False, True]]),
        torch.tensor([[[0, 1, 2], [2, 1, 0]], [[1, 1, 2], [0, 2, 2]]]),
        crop=1,
    )
    ready = ResidentData(dataset, True, CPU, dtype)
    monkeypatch.setattr(resident_data, "READY_BYTES", 0)
    bytes_ = ResidentData(dataset, True, CPU, dtype)
    assert bytes_.x_train.dtype == torch.uint8
    x, y = ready.batch(batch)
    assert x.shape == (2, 3, 1, 5, 4)
    assert x.dtype == dtype
    assert y.tolist() == [[0, 1, 1], [0, 0, 0]]
    assert torch.equal(x, bytes_.batch(batch)[0])


@pytest.mark.parametrize("shape", [(2500, 3), (1100, 3, 2, 3)])
def test_moments_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    axes = tuple(range(len(shape) - 1))
    mean, deviation = moments(InMemory(x))
    np.testing.assert_allclose(mean, x.astype(float).mean(axes))
    np.testing.assert_allclose(deviation, x.astype(float).std(axes))


def test_a_constant_feature_stays_finite() -> None:
    x = np.array([[1.0, 5], [2, 5], [3, 5]])
    data = ResidentData(Dataset.from_arrays(x, [0, 1, 0], x, [0, 1, 0]), True, CPU)
    inputs = data.inputs(data.x_train)
    np.testing.assert_allclose(inputs[:, 1], 0)
    np.testing.assert_allclose(inputs[:, 0], [-1.2247449, 0, 1.2247449], rtol=1e-6)
