"""Random flips and crops of a whole batch at once."""

import torch
from torch import Tensor
from torch.nn import functional


def augmented(x: Tensor, flips: Tensor | None, shifts: Tensor | None, crop: int) -> Tensor:
    """Flip each image, then shift it.

    Args:
        x: float32 [N, c, h, w].
        flips: bool [N], whether to mirror left and right; None flips no image.
        shifts: int64 [2, N] from 0 to 2·crop, rows and columns; ``crop`` leaves an image in its
            place. None shifts no image.
        crop: the most pixels to shift by; pixels from beyond the border are zero (the mean, where
            the data are standardized).
    """
    if flips is not None:
        x = torch.where(flips[:, None, None, None], x.flip(3), x)
    if shifts is not None:
        height, width = x.shape[2:]
        padded = functional.pad(x, (crop,) * 4).permute(0, 2, 3, 1)
        rows = shifts[0][:, None, None] + torch.arange(height, device=x.device)[:, None]
        columns = shifts[1][:, None, None] + torch.arange(width, device=x.device)
        images = torch.arange(len(x), device=x.device)[:, None, None]
        x = padded[images, rows, columns].permute(0, 3, 1, 2)
    return x
