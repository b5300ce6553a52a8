"""A pretrained body, and the images as it was trained to see them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from memtail_core.data.weights import PREFIX, kept
from memtail_core.errors import MachineError
from memtail_core.training.backbones.families import family_of
from memtail_core.training.device import own_randomness


def pretrained_body(backbone: str, weights: str) -> nn.Module:
    """Build a body with its pretrained weights; torch's random state stays as it is.

    Args:
        backbone, weights: as a study keeps them; see :class:`.BackboneOptions`.

    Raises:
        MachineError: the weights are not on this machine, or a library is of another version.
        StudyError: a library, or the user's code, is missing.
    """
    family, name = family_of(backbone)
    state = kept(weights.removeprefix(PREFIX))
    with own_randomness(torch.device("cpu")):
        body = family.body(name, state.config)
    if not any(weight.is_meta for weight in body.parameters()):  # else it is built on paper
        try:
            body.load_state_dict({name: torch.from_numpy(a) for name, a in state.arrays.items()})
        except RuntimeError as error:
            raise MachineError(
                f"the weights do not fit '{backbone}' as it is built here: this machine has "
                "another version of that library than the one that prepared the study"
            ) from error
    return body


class Inputs(nn.Module):
    """Images [N, c, h, w], pixels from 0 to 1, as a body takes them.

    They are resized to ``size`` pixels a side if it is given (bilinear, with antialiasing, in
    float32), a single channel becomes as many as the body takes, and each channel is scaled to
    (x − mean) / deviation.

    Args:
        size: pixels, or None.
        channels: that the body takes; None: as many as there are.
        mean, deviation: one of each channel, or one for all.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        size: int | None,
        channels: int | None,
        mean: Sequence[float],
        deviation: Sequence[float],
    ) -> None:
        super().__init__()
        self._size, self._channels = size, channels
        scale = torch.tensor([1 / each for each in deviation])[:, None, None]
        self.register_buffer("scale", scale, persistent=False)
        shift = torch.tensor(list(mean))[:, None, None] * scale
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self._size is not None and x.shape[2:] != (self._size, self._size):
            size = [self._size, self._size]
            resized = functional.interpolate(x.float(), size, mode="bilinear", antialias=True)
            x = resized.to(x.dtype)
        if self._channels is not None:
            x = x.expand(-1, self._channels, -1, -1)
        return x * self.scale - self.shift
