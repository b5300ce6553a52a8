import numpy as np
import torch

from memtail_core.training.gradient.augmentation import (
    augmented,
    centre_crop,
    random_boxes,
    resized_crops,
)


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


def test_boxes_lie_in_the_image_and_have_the_areas_and_aspects_of_inception() -> None:
    top, left, height, width = random_boxes(20_000, torch.Generator().manual_seed(0)).double()
    for start, length in ((top, height), (left, width)):
        assert bool(((start >= 0) & (start + length <= 1 + 1e-6)).all())
    area, whole = height * width, (height < 1) & (width < 1)
    assert bool((area >= 0.08 * (1 - 1e-5)).all())
    aspect = (width / height)[whole]
    assert 3 / 4 - 1e-5 <= aspect.min() < 0.76
    assert 1.32 < aspect.max() <= 4 / 3 + 1e-5
    assert abs(float(area.mean()) - 0.54) < 0.01  # less the little that is cut off


def test_a_resized_crop_is_the_box_interpolated_bilinearly() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((20, 3, 9, 7), dtype=np.float32))
    boxes = random_boxes(20, torch.Generator().manual_seed(1))
    made = resized_crops(x, boxes, 5)
    for i, (top, left, height, width) in enumerate(boxes.T.tolist()):
        for r in range(5):
            for c in range(5):
                y = np.clip((top + height * (r + 0.5) / 5) * 9 - 0.5, 0, 8)
                z = np.clip((left + width * (c + 0.5) / 5) * 7 - 0.5, 0, 6)
                y0, z0 = min(int(y), 7), min(int(z), 5)
                dy, dz = y - y0, z - z0
                near = x[i, :, y0 : y0 + 2, z0 : z0 + 2].double()
                weight = torch.tensor(
                    [[(1 - dy) * (1 - dz), (1 - dy) * dz], [dy * (1 - dz), dy * dz]]
                )
                torch.testing.assert_close(
                    made[i, :, r, c].double(), (near * weight).sum((1, 2)), atol=1e-5, rtol=0
                )


def test_the_whole_box_of_the_same_size_is_the_image() -> None:
    x = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    whole = torch.tensor([[0.0, 0, 1, 1]]).T.expand(4, 3)
    torch.testing.assert_close(resized_crops(x, whole, 6), x, atol=1e-5, rtol=0)


def test_the_centre_is_in_the_middle() -> None:
    x = torch.arange(36.0).view(1, 1, 6, 6)
    assert torch.equal(centre_crop(x, 2)[0, 0], torch.tensor([[14.0, 15], [20, 21]]))
    assert centre_crop(x, 6).shape == (1, 1, 6, 6)
