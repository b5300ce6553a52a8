"""``resized_crop``: networks see random boxes in training and the middle in evaluation."""

import numpy as np
import pytest
import torch

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.training.gradient.augmentation import centre_crop
from memtail_core.training.gradient.batches import batches
from memtail_core.training.gradient.options import GradientOptions
from memtail_core.training.gradient.resident_data import ResidentData
from memtail_core.training.registry import resolve, restore

TABLE = {"recipe": "cnn", "channels": [4], "hidden": 8, "epochs": 2, "batch_size": 16}
CPU = torch.device("cpu")


@pytest.fixture
def images() -> Dataset:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (60, 12, 12, 3), dtype=np.uint8), np.arange(60) % 3
    return Dataset.from_arrays(x, y, x[:9], y[:9])


def recipe(images: Dataset, **options: object) -> GradientOptions:
    made = resolve({**TABLE, **options}, images, 40)
    assert isinstance(made, GradientOptions)
    return made


def test_studies_that_do_not_use_it_keep_their_ids(images: Dataset) -> None:
    described = recipe(images).described()
    assert "resized_crop" not in described
    assert described == recipe(images, resized_crop=0).described()
    assert restore(described) == recipe(images)
    used = recipe(images, resized_crop=8)
    assert used.described() == described | {"resized_crop": 8}
    assert restore(used.described()) == used
    growing = resolve({"recipe": "resnet9", "resized_crop": 8, "first_size": 4}, images, 40)
    assert growing.described()["first_size"] == 4
    assert restore(growing.described()) == growing


def test_networks_are_evaluated_on_the_middle(images: Dataset) -> None:
    whole = ResidentData(images, True, CPU)
    data = ResidentData(images, True, CPU, resized_crop=8)
    assert data.shape == (3, 8, 8)
    middle = centre_crop(whole.inputs(whole.x_test), 8)
    assert torch.equal(data.inputs(data.x_test), middle)


def test_each_model_draws_its_own_boxes_whoever_trains_beside_it(images: Dataset) -> None:
    crops = recipe(images, resized_crop=8)
    members = torch.arange(40).expand(2, -1)
    together = list(batches(crops, members, [5, 6], CPU))
    alone = list(batches(crops, members[:1], [6], CPU))
    boxes = [batch.boxes for batch in together]
    assert all(each is not None for each in boxes)
    for both, one in zip(together, alone, strict=True):
        assert both.boxes is not None
        assert one.boxes is not None
        assert torch.equal(both.boxes[:, 1], one.boxes[:, 0])
        assert not torch.equal(both.boxes[:, 0], both.boxes[:, 1])


def test_boxes_grow_and_are_drawn_as_before(images: Dataset) -> None:
    table = {"recipe": "resnet9", "width": 2, "epochs": 3, "batch_size": 16, "resized_crop": 8}
    whole, growing = (resolve({**table, **more}, images, 40) for more in ({}, {"first_size": 4}))
    assert isinstance(whole, GradientOptions)
    assert isinstance(growing, GradientOptions)
    members, data = torch.arange(40).expand(2, -1), ResidentData(images, True, CPU, resized_crop=8)
    pairs = zip(
        *(list(batches(each, members, [5, 6], CPU)) for each in (whole, growing)), strict=True
    )
    for step, (one, other) in enumerate(pairs):
        assert one.boxes is not None
        assert other.boxes is not None
        assert torch.equal(one.boxes, other.boxes)
        side = 4 if step < 6 else 8  # three steps in each of three epochs, the last one whole
        x, _ = data.batch(other)
        assert x.shape == (*other.examples.shape, 3, side, side)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first_size": 4}, "first_size = 4: images grow from it to resized_crop, which is 0"),
        ({"first_size": 9, "resized_crop": 8}, "grow from it to resized_crop, which is 8"),
        ({"first_size": 4, "resized_crop": 8}, "networks of 'cnn' that take images of 8 pixels"),
        ({"first_size": 4, "resized_crop": 8, "crop": 4}, "crop = 4: less than the image's side"),
        ({"resized_crop": 13}, "the images have 12 pixels; set a larger"),
        ({"resized_crop": 8, "crop": 8}, "crop = 8: less than the image's side"),
    ],
)
def test_what_cannot_be_is_refused(
    images: Dataset, options: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        recipe(images, **options)


def test_rows_of_a_table_have_no_boxes() -> None:
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    table = Dataset.from_arrays(x, y, x[:9], y[:9])
    with pytest.raises(StudyError, match="resized_crop is for images"):
        resolve({"recipe": "mlp", "resized_crop": 2}, table, 40)
