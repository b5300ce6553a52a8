import numpy as np
import torch

from memtail_core.training.judgement import judged


def test_the_margin_is_the_log_odds_of_the_label() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 20, 5)) * 3
    y = rng.integers(5, size=20)
    correct, margin = judged(torch.from_numpy(logits), torch.from_numpy(y))
    p = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    p = p[:, np.arange(20), y]
    np.testing.assert_allclose(margin, np.log(p / (1 - p)), atol=1e-2)
    assert (correct == (logits.argmax(2) == y)).all()
    assert (correct.dtype, margin.dtype) == (np.bool_, np.float16)


def test_a_certain_margin_is_clipped_not_infinite() -> None:
    log_probabilities = torch.tensor([[[0.0, -torch.inf], [-torch.inf, 0.0]]])
    _, margin = judged(log_probabilities, torch.tensor([0, 0]))
    assert margin.tolist() == [[100, -100]]
