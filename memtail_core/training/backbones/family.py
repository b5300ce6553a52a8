"""What memtail asks of a family of backbones: where pretrained networks come from."""

from dataclasses import dataclass
from typing import Protocol

from torch import nn

from memtail_core.data.weights import Weights

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A backbone as a study keeps it.

    Attributes:
        name: what :meth:`Family.body` builds it from, without the family.
        weights: the state of the body.
        mean, deviation: of the channels of the images that it was trained on, pixels being 0 … 1.
    """

    name: str
    weights: Weights
    mean: tuple[float, ...] = IMAGENET_MEAN
    deviation: tuple[float, ...] = IMAGENET_DEVIATION


class Family(Protocol):
    """A source of architectures; one object for each, in :mod:`.families`.

    Attributes:
        channels: of the images that its bodies take; None: as they are.
    """

    channels: int | None

    def pretrained(self, name: str, weights: str | None) -> Pretrained:
        """Find what the user names.

        Args:
            name: what follows the family in ``backbone``.
            weights: a file, the name of published weights such as ``"DEFAULT"``, or None.

        Raises:
            StudyError: there is no such network, or no such weights, or they do not fit.
        """
        ...

    def body(self, name: str, config: str) -> nn.Module:
        """Build the network without its last layer: images [N, C, h, w] → features [N, d].

        Args:
            name: of :class:`Pretrained`.
            config: of its weights.

        Raises:
            StudyError: a library is missing.
        """
        ...
