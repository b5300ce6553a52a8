"""The outcome of a classifier: is the label its first choice, and by what margin."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memtail_core.training.outcome import Bits, Probabilities, Value, Values

if TYPE_CHECKING:
    from torch import Tensor

_LIMIT = 100.0  # a larger margin says nothing more, and float16 has little room


class Classification:
    """Top-1 correctness, and the margin as the value; see :func:`correct_and_margin`."""

    value = Value("margin", "float16", -_LIMIT, _LIMIT)

    def measure(self, output: "Tensor", target: "Tensor") -> tuple[Bits, Values | None]:
        """See :class:`~memtail_core.training.outcome.Outcome`.

        Args:
            output: logits, float [K, n, C], or predicted labels, int64 [K, n], which have no
                margin.
            target: labels, int64 [n].
        """
        if output.is_floating_point():
            return correct_and_margin(output, target)
        return (output == target).cpu().numpy(), None

    def averaged(self, output: "Tensor", target: "Tensor") -> Probabilities | None:
        """The probabilities of the classes, exp z_c / Σ exp z: float16 [K, n, C]."""
        del target
        if not output.is_floating_point():
            return None
        probabilities: Probabilities = output.softmax(dim=2).half().cpu().numpy()
        return probabilities


CLASSIFICATION = Classification()


def correct_and_margin(logits: "Tensor", y: "Tensor") -> tuple[Bits, NDArray[np.float16]]:
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
    others = logits.scatter(2, labels, -np.inf).logsumexp(2)
    margin = (own - others).clamp(-_LIMIT, _LIMIT)
    return correct.cpu().numpy(), margin.half().cpu().numpy()
