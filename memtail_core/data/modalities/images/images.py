"""Images: pixels of 1, 3 or 4 channels, uint8 [height, width, channels]."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples
from memtail_core.data.modalities.comparison import Comparison
from memtail_core.data.modalities.modality import Feed, Modality
from memtail_core.errors import DatasetError


class Images(Modality):
    """Grey, colour, or colour with an alpha channel, 0 … 255."""

    name = "images"
    noun = "images"
    expected = "images as uint8 [n, h, w] or [n, h, w, c]"
    default_recipe = "cnn"
    has_one_unit = True
    is_pictured = True

    def claims(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Anything with rows and columns of pixels."""
        return len(shape) in (2, 3) and dtype.kind in "uf"

    def prepare(self, x: NDArray[Any], name: str) -> NDArray[Any]:
        """Add a channel axis to grey images without one."""
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            raise DatasetError(f"{name} has pixels that are not finite; images are uint8, 0 … 255")
        if x.dtype != np.uint8 or x.ndim not in (3, 4):
            raise DatasetError(f"{name} is {x.dtype} {list(x.shape)}: give {self.expected}")
        x = x[..., None] if x.ndim == 3 else x
        if x.shape[-1] not in (1, 3, 4):
            raise DatasetError(f"{name} has {x.shape[-1]} channels in its last axis: 1, 3 or 4")
        return np.ascontiguousarray(x)

    def feed(self, shape: tuple[int, ...]) -> Feed:
        """Channels first, 0 … 1."""
        height, width, channels = shape
        return Feed((channels, height, width), (0, 3, 1, 2), 255.0, is_map=True, can_augment=True)

    def embed(self, x: NDArray[Any], largest_side: int | None = None) -> NDArray[np.float32]:
        """Pixels by channel; larger images are shrunk by averaging."""
        pixels = x.astype(np.float32)
        longest = max(pixels.shape[1:3])
        if largest_side is not None and longest > largest_side:
            import torch  # most readers of data never shrink an image
            from torch.nn import functional

            size = [max(1, side * largest_side // longest) for side in pixels.shape[1:3]]
            images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            pixels = functional.interpolate(images, size, mode="area").permute(0, 2, 3, 1).numpy()
        return pixels.reshape(len(pixels), -1, pixels.shape[-1])

    def comparison(self) -> Comparison:
        """Images are compared at the shift at which they agree best."""
        from memtail_core.data.modalities.images.shifts import BestShift

        return BestShift()

    def pictures(self, examples: Examples) -> Examples:
        """Images are pictures."""
        return examples

    def phrases(self, example: NDArray[Any], columns: Sequence[str]) -> Iterator[str]:
        """An image is described by its size."""
        del columns
        height, width, _ = example.shape
        yield f"{width} × {height} pixels"
