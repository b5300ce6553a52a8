"""From a model's logits to what a trial keeps: correctness and margin."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.training.engine import MARGIN_LIMIT


def judged(logits: Tensor, y: Tensor) -> tuple[NDArray[np.bool_], NDArray[np.float16]]:
    """Return correctness, bool [1, n], and margin, float16 [1, n], of one model.

    The margin log p_y − log(1 − p_y) equals z_y − log Σ_{c ≠ y} exp z_c, which is exact where p_y
    is close to 1; it is clipped to ± 100.

    Args:
        logits: z, float [n, C]; log-probabilities are logits too.
        y: labels, int64 [n].
    """
    correct = logits.argmax(1) == y
    own = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -torch.inf).logsumexp(1)
    margin = (own - others).clamp(-MARGIN_LIMIT, MARGIN_LIMIT)
    return correct.cpu().numpy()[None], margin.half().cpu().numpy()[None]
