"""What networks are trained to output, and what it costs them to be wrong."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.training.language import next_tokens

if TYPE_CHECKING:
    from torch import Tensor


class Objective(Protocol):
    """The loss that a recipe minimises. A recipe names its objective; the engine applies it."""

    def targets(self, x: "Tensor", y: "Tensor") -> "Tensor":
        """Return what networks should output for inputs [..., \\*shape] of the labels [...]."""

    def losses(self, logits: "Tensor", targets: "Tensor", label_smoothing: float) -> "Tensor":
        """Return the loss of each example, in nats: [K, B].

        Args:
            logits: what K networks output for B examples each, float32 [K, B, …].
            targets: what they should output, [K, B, …].
            label_smoothing: ε; the target is 1 − ε its class, and ε all classes alike.
        """

    def chance(
        self, dataset: Dataset, subset: NDArray[np.bool_], n_classes: int, label_smoothing: float
    ) -> float:
        """Return the loss that a network reaches that knows no example of ``subset``, bool [n].

        ``n_classes`` is the number of logits of one decision.
        """


class Labels:
    """The label of each example: cross-entropy."""

    def targets(self, x: "Tensor", y: "Tensor") -> "Tensor":
        """The labels."""
        del x
        return y

    def losses(self, logits: "Tensor", targets: "Tensor", label_smoothing: float) -> "Tensor":
        """−log p_y, with smoothed labels."""
        return _cross_entropy(logits, targets, label_smoothing)

    def chance(
        self, dataset: Dataset, subset: NDArray[np.bool_], n_classes: int, label_smoothing: float
    ) -> float:
        """The entropy of the labels."""
        return chance_loss(dataset.y_train[subset], n_classes, label_smoothing)


class NextTokens:
    """Each next token of a document: cross-entropy, every token of a batch counting alike.

    Over a batch, the mean of the losses is the mean over its next tokens; where there is no token,
    nothing is predicted and nothing counts.
    """

    def targets(self, x: "Tensor", y: "Tensor") -> "Tensor":
        """The documents themselves."""
        del y
        return x

    def losses(self, logits: "Tensor", targets: "Tensor", label_smoothing: float) -> "Tensor":
        """−Σ log p of a document's next tokens, over the mean number of them in the batch."""
        expected, is_counted = next_tokens(targets)
        each = _cross_entropy(logits, expected, label_smoothing) * is_counted
        per_document = is_counted.sum((1, 2)) / is_counted.shape[1]
        return each.sum(2) / per_document[:, None]

    def chance(
        self, dataset: Dataset, subset: NDArray[np.bool_], n_classes: int, label_smoothing: float
    ) -> float:
        """The entropy of the next tokens."""
        documents = dataset.train.take(np.flatnonzero(subset))
        following = documents[:, 1:].astype(np.int64)
        is_counted = documents[:, :-1] > 0
        is_counted[:, 0] = True
        return chance_loss(following[is_counted], n_classes, label_smoothing)


def _cross_entropy(logits: "Tensor", targets: "Tensor", label_smoothing: float) -> "Tensor":
    from torch.nn import functional

    return functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), reduction="none", label_smoothing=label_smoothing
    ).view(targets.shape)


def chance_loss(y: NDArray[np.int64], n_classes: int, label_smoothing: float) -> float:
    """The cross-entropy of the labels' own frequencies, in nats: what a network that knows no
    example can reach.
    """
    share = np.bincount(y, minlength=n_classes) / len(y)
    share = (1 - label_smoothing) * share + label_smoothing / n_classes
    some = share[share > 0]
    return float(-(some * np.log(some)).sum())


LABELS, NEXT_TOKENS = Labels(), NextTokens()
