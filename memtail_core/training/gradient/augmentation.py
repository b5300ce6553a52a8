"""Random flips and crops of a whole batch at once."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_LEAST_AREA = 0.08  # of an image, that a random box has
_MOST_STRETCHED = 4 / 3  # width by height of a box, or its inverse


def random_boxes(n: int, stream: torch.Generator) -> Tensor:
    """Draw n boxes in the unit square: top, left, height and width, float32 [4, n].

    Their area is uniform from 0.08 to 1 and the logarithm of their aspect from −log 4/3 to log 4/3
    (Szegedy et al., "Going deeper with convolutions", CVPR 2015); sides that would be longer than 1
    are 1.
    """
    area, aspect, down, right = torch.rand(4, n, generator=stream)
    area = _LEAST_AREA + (1 - _LEAST_AREA) * area
    aspect = torch.exp((2 * aspect - 1) * math.log(_MOST_STRETCHED))
    height, width = (area / aspect).sqrt().clamp(max=1), (area * aspect).sqrt().clamp(max=1)
    return torch.stack([down * (1 - height), right * (1 - width), height, width])


def resized_crops(x: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Cut a box out of each image and resize it, bilinearly, to side × side.

    Args:
        x: float32 [N, c, h, w].
        boxes: float32 [4, N], as :func:`random_boxes` draws them.
        side: pixels.
    """
    top, left, height, width = (each[:, None] for each in boxes)
    at = (torch.arange(side, device=x.device) + 0.5) / side  # middles of pixels
    rows, columns = top + height * at, left + width * at
    shape = (len(x), side, side)
    grid = torch.stack([columns[:, None].expand(shape), rows[:, :, None].expand(shape)], dim=-1)
    return functional.grid_sample(
        x, 2 * grid - 1, mode="bilinear", padding_mode="border", align_corners=False
    )


def centre_crop(x: Tensor, side: int) -> Tensor:
    """Cut the middle side × side pixels out of images [N, c, h, w]."""
    top, left = ((length - side) // 2 for length in x.shape[2:])
    return x[:, :, top : top + side, left : left + side]


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
