"""From a model's logits to what a trial keeps: correctness and margin."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.training.engine import MARGIN_LIMIT


def judged(logits: Tensor, y: Tensor) -> tuple[NDArray[np.bool_], NDArray[np.float16]]:
    """Return correctness, bool [K, n], and margin, float16 [K, n], of K models.

    The margin log p_y − log(1 − p_y) equals z_y − log Σ_{c ≠ y} exp z_c, which is exact where p_y
    is close to 1; it is clipped to ± 100.

    Args:
        logits: z, float [K, n, C]; log-probabilities are logits too.
        y: labels, int64 [n].
    """
    labels = y.expand(len(logits), -1)[..., None]
    correct = logits.argmax(2) == y
    own = logits.gather(2, labels)[..., 0]
    others = logits.scatter(2, labels, -torch.inf).logsumexp(2)
    margin = (own - others).clamp(-MARGIN_LIMIT, MARGIN_LIMIT)
    return correct.cpu().numpy(), margin.half().cpu().numpy()
