"""Random flips and crops of a whole batch at once."""

import torch
from torch import Tensor
from torch.nn import functional


def augmented(x: Tensor, flip: bool, crop: int, generator: torch.Generator) -> Tensor:
    """Flip each image with probability ½, and shift it by up to ``crop`` pixels each way.

    Args:
        x: float32 [batch, c, h, w].
        flip: whether to mirror left and right.
        crop: the most pixels to shift by; what comes in at the border is zero (the mean, where
            the data are standardized).
        generator: on the CPU.
    """
    n = len(x)
    if flip:
        is_flipped = torch.randint(2, (n,), generator=generator).bool().to(x.device)
        x = torch.where(is_flipped[:, None, None, None], x.flip(3), x)
    if crop:
        height, width = x.shape[2:]
        shifts = torch.randint(2 * crop + 1, (2, n, 1, 1, 1), generator=generator).to(x.device)
        padded = functional.pad(x, (crop,) * 4).permute(0, 2, 3, 1)
        rows = shifts[0] + torch.arange(height, device=x.device)[None, :, None, None]
        columns = shifts[1] + torch.arange(width, device=x.device)[None, None, :, None]
        images = torch.arange(n, device=x.device)[:, None, None, None]
        x = padded[images, rows, columns][:, :, :, 0].permute(0, 3, 1, 2)
    return x
