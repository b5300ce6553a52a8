import numpy as np
import torch

from memtail_core.training.gradient.augmentation import augmented


def test_crops_are_shifts_with_zeros_and_flips_are_mirrors() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((200, 2, 5, 6), dtype=np.float32)) + 1
    flips = torch.from_numpy(rng.integers(2, size=200)).bool()
    shifts = torch.from_numpy(rng.integers(5, size=(2, 200)))
    moved = augmented(x, flips, shifts, crop=2)
    for i in range(200):
        original = x[i].flip(2) if flips[i] else x[i]
        dy, dx = (shifts[:, i] - 2).tolist()
        assert torch.equal(moved[i], shifted(original, dy, dx))


def shifted(image: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """The image moved by (−dy, −dx), zeros where nothing was."""
    found = torch.zeros_like(image)
    _, h, w = image.shape
    for r in range(h):
        for c in range(w):
            if 0 <= r + dy < h and 0 <= c + dx < w:
                found[:, r, c] = image[:, r + dy, c + dx]
    return found


def test_no_augmentation_is_the_very_same_tensor() -> None:
    x = torch.zeros(2, 1, 3, 3)
    assert augmented(x, None, None, crop=0) is x
