"""Learning rates between points, and images that grow over the epochs."""

import numpy as np
import pytest

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.training.gradient.batches import learning_rates
from memtail_core.training.gradient.networks import MLP
from memtail_core.training.gradient.schedules import growing_sides, in_words
from memtail_core.training.registry import resolve, restore

ONE_CYCLE = [[0, 0], [0.15, 1], [1, 0]]


@pytest.mark.parametrize(
    ("first", "last", "epochs", "sides"),
    [
        (96, 128, 16, [96] * 11 + [112] + [128] * 4),  # at 11/15: 96 + 7; at 12/15: 96 + 21
        (160, 192, 16, [160] * 11 + [176] + [192] * 4),
        (96, 100, 3, [96, 96, 100]),
        (64, 160, 41, [64] * 29 + [80, 96, 112, 128, 144] + [160] * 7),
        (96, 128, 2, [96, 128]),
        (96, 128, 1, [128]),
        (128, 128, 4, [128] * 4),
    ],
)
def test_images_grow_to_their_whole_size(
    first: int, last: int, epochs: int, sides: list[int]
) -> None:
    assert growing_sides(first, last, epochs) == sides


def test_sizes_are_told_by_epoch() -> None:
    assert in_words([96, 96, 112, 128, 128]) == (
        "96 in epochs 1 to 2, 112 in epoch 3, 128 in epochs 4 to 5"
    )


def test_a_schedule_of_points_is_linear_between_them(dataset: Dataset) -> None:
    recipe = MLP(learning_rate=0.5, schedule=((0, 0.2), (0.5, 1), (0.75, 0), (1, 0)))
    middles = (np.arange(20) + 0.5) / 20
    expected = [
        0.5 * (0.2 + 1.6 * at) if at < 0.5 else 0.5 * max(0.0, 4 * (0.75 - at)) for at in middles
    ]
    np.testing.assert_allclose(learning_rates(recipe, 20), expected, atol=1e-12)
    made = resolve({"recipe": "mlp", "epochs": 1, "schedule": ONE_CYCLE}, dataset, 30)
    assert made.described()["schedule"] == [[0.0, 0.0], [0.15, 1.0], [1.0, 0.0]]
    assert restore(made.described()) == made


def test_named_schedules_are_points() -> None:
    points = MLP(schedule=tuple(map(tuple, ONE_CYCLE)))
    assert learning_rates(points, 50) == learning_rates(MLP(), 50)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ([[0, 1]], "should rise from 0 to 1"),
        ([[0, 0], [0.5, 1], [0.5, 1], [1, 0]], "should rise from 0 to 1"),
        ([[0, 0], [0.9, 1]], "should rise from 0 to 1"),
        ([[0, 1], [1, -0.1]], "at least 0, and not all 0"),
        ([[0, 0], [1, 0]], "at least 0, and not all 0"),
        ([[0, 0], [1]], "should be 'constant', 'one-cycle', or points such as"),
        ([[0, True], [1, 0]], "should be 'constant', 'one-cycle', or points such as"),
        ([], "should rise from 0 to 1"),
        ({"0": 1}, "should be 'constant', 'one-cycle', or points such as"),
    ],
)
def test_other_schedules_are_refused(dataset: Dataset, schedule: object, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        resolve({"recipe": "mlp", "schedule": schedule}, dataset, 30)
