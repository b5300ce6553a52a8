"""The examples of each step, how they are augmented, and the learning rate."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from memtail_core.training.gradient.augmentation import random_boxes
from memtail_core.training.gradient.options import GradientOptions
from memtail_core.training.gradient.schedules import rates


@dataclass(frozen=True)
class Batch:
    """One step's examples for K models, B for each.

    Attributes:
        examples: row numbers, int64 [K, B].
        flips: bool [K, B], or None.
        shifts: int64 [2, K, B], or None; see :func:`~.augmentation.augmented`.
        crop: the most pixels that ``shifts`` shift by.
        boxes: float32 [4, K, B], or None; see :func:`~.augmentation.resized_crops`.
        side: the pixels that boxes are resized to.
        pixels: the stored rows of the examples, [K·B, d], where they are not on the device before;
            see :meth:`.ResidentData.fed`.
    """

    examples: Tensor
    flips: Tensor | None = None
    shifts: Tensor | None = None
    crop: int = 0
    boxes: Tensor | None = None
    side: int = 0
    pixels: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        """The tensors that are not None."""
        every = (self.examples, self.flips, self.shifts, self.boxes, self.pixels)
        return [tensor for tensor in every if tensor is not None]

    def changed(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Return the batch with each of its tensors changed."""

        def of(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else change(tensor)

        return replace(
            self,
            examples=change(self.examples),
            flips=of(self.flips),
            shifts=of(self.shifts),
            boxes=of(self.boxes),
            pixels=of(self.pixels),
        )


def batches(
    recipe: GradientOptions,
    members: Tensor,
    seeds: Sequence[int],
    device: torch.device,
    skipped: int = 0,
) -> Iterator[Batch]:
    """Yield every batch of every epoch: all examples of each subset, in each model's own order.

    Args:
        recipe: epochs, batch size, augmentation.
        members: int64 [K, m] on the CPU, the subset of each of the K models.
        seeds: of the K models; each draws from its own.
        device: where the batches go.
        skipped: batches that are drawn, as the next ones depend on them, and not yielded.
    """
    # A stream separate from the weights', and on the CPU: the same order on every device.
    streams = [torch.Generator().manual_seed(_stream(seed)) for seed in seeds]
    _, m = members.shape
    ends = np.cumsum(batch_sizes(m, recipe.batch_size)).tolist()
    for epoch, side in enumerate(recipe.sides):
        skip = max(0, skipped - epoch * len(ends))
        orders = [torch.randperm(m, generator=stream) for stream in streams]
        examples = members.gather(1, torch.stack(orders)).to(device)
        flips = shifts = boxes = None
        if recipe.flip:
            drawn = [torch.randint(2, (m,), generator=stream) for stream in streams]
            flips = torch.stack(drawn).bool().to(device)
        if recipe.crop:
            most = 2 * recipe.crop + 1
            drawn = [torch.randint(most, (2, m), generator=stream) for stream in streams]
            shifts = torch.stack(drawn, dim=1).to(device)
        if recipe.resized_crop:
            boxes = torch.stack([random_boxes(m, stream) for stream in streams], dim=1).to(device)
        for start, end in islice(zip([0, *ends], ends, strict=False), skip, None):
            yield Batch(
                examples[:, start:end],
                None if flips is None else flips[:, start:end],
                None if shifts is None else shifts[:, :, start:end],
                recipe.crop,
                None if boxes is None else boxes[:, :, start:end],
                side,
            )


def batch_sizes(m: int, batch_size: int) -> list[int]:
    """Cut an epoch of m examples into batches; all are used, so the last may be smaller.

    A last batch of one joins the one before it: batch normalisation cannot normalise one example.
    """
    sizes = [batch_size] * (m // batch_size) + ([m % batch_size] if m % batch_size else [])
    if len(sizes) > 1 and sizes[-1] == 1 < batch_size:
        sizes[-2:] = [batch_size + 1]
    return sizes


def learning_rates(recipe: GradientOptions, steps: int) -> list[float]:
    """The learning rate of every step."""
    return rates(recipe.schedule, recipe.learning_rate, steps)


def _stream(seed: int) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
