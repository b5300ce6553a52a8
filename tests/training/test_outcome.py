import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import Tensor

from memtail_core.training import Outcome
from memtail_core.training.classification import CLASSIFICATION
from tests.training.outcome_contract import OutcomeContract


def margin(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log p_y − log(1 − p_y) by scipy, in float64, over the classes one by one."""
    log_p = logits - logsumexp(logits, axis=2, keepdims=True)
    found = np.empty(logits.shape[:2])
    for i, label in enumerate(y):
        others = np.delete(log_p[:, i], label, axis=1)
        found[:, i] = log_p[:, i, label] - logsumexp(others, axis=1)
    return found.clip(-100, 100)


class _Logits(OutcomeContract):
    scale = 3.0
    n_classes = 5
    dtype = torch.float64

    @pytest.fixture
    def outcome(self) -> Outcome:
        return CLASSIFICATION

    @pytest.fixture
    def examples(self) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(0)
        logits = rng.normal(size=(3, 20, self.n_classes)) * self.scale
        y = rng.integers(self.n_classes, size=20)
        return torch.from_numpy(logits).to(self.dtype), torch.from_numpy(y)

    @pytest.fixture
    def expected(self, examples: tuple[Tensor, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        logits, y = (tensor.double().numpy() for tensor in examples)
        y = y.astype(int)
        own = np.take_along_axis(logits, np.broadcast_to(y[None, :, None], (3, 20, 1)), axis=2)
        return (logits <= own).all(axis=2), margin(logits, y)


class TestClassification(_Logits):
    """Logits as a network gives them."""


class TestClassificationInFloat32(_Logits):
    dtype = torch.float32


class TestClassificationOfTwoClasses(_Logits):
    n_classes = 2


class TestCertainClassification(_Logits):
    """Logits far apart: most margins are clipped."""

    scale = 300.0


def test_a_certain_margin_is_clipped_not_infinite() -> None:
    log_probabilities = torch.tensor([[[0.0, -torch.inf], [-torch.inf, 0.0]]])
    _, found = CLASSIFICATION.measure(log_probabilities, torch.tensor([0, 0]))
    assert found is not None
    assert found.tolist() == [[100, -100]]


def test_predicted_labels_are_right_or_wrong_and_have_no_margin() -> None:
    correct, found = CLASSIFICATION.measure(torch.tensor([[0, 2, 1]]), torch.tensor([0, 1, 1]))
    assert correct.tolist() == [[True, False, True]]
    assert found is None
