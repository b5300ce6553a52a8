"""What is said to take any data does: the check that runs two examples through is the oracle."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.data.modalities import Feed
from memtail_core.training.gradient import options
from memtail_core.training.gradient.on_paper import on_paper
from memtail_core.training.gradient.options import GradientOptions
from tests.texts import documents

SMALL = st.integers(1, 5)
FEW = st.lists(SMALL, min_size=1, max_size=4)
NETWORKS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "mlp": {"widths": st.lists(SMALL, max_size=4)},
    "cnn": {"channels": FEW, "hidden": SMALL, "halve": st.sampled_from(["pool", "stride"])},
    "resnet9": {"width": SMALL},
    "bag": {"width": SMALL, "buckets": SMALL},
    "textcnn": {"width": SMALL, "channels": SMALL, "windows": FEW},
    "transformer": {"width": st.just(6), "heads": st.sampled_from([1, 2, 3, 6]), "layers": SMALL},
    "gpt": {"width": st.just(6), "heads": st.sampled_from([1, 2, 3, 6]), "hidden": SMALL},
}


def images(height: int, width: int, channels: int, n_classes: int) -> Dataset:
    """As many images as classes."""
    x = np.zeros((n_classes, height, width, channels), np.uint8)
    return Dataset.from_arrays(x, np.arange(n_classes), x, np.arange(n_classes))


def texts(length: int, n_classes: int, is_labelled: bool) -> Dataset:
    """Texts of that many tokens, the last of which is the only one that is not padding."""
    tokens = np.zeros((2 * n_classes, length), np.int32)
    tokens[:, 0] = 1
    tokens[0] = 1
    if not is_labelled:
        return documents(tokens, n_classes)
    y = np.arange(2 * n_classes) % n_classes
    return Dataset.from_arrays(
        tokens[:n_classes], y[:n_classes], tokens[n_classes:], y[n_classes:], modality="text"
    )


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=25)
@given(data=st.data())
def test_two_examples_pass_wherever_it_is_said_that_they_would(name: str, data: Any) -> None:
    options = {key: data.draw(values) for key, values in NETWORKS[name].items()}
    n_classes, batch = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 3))
    if name in ("mlp", "cnn", "resnet9"):
        sides = data.draw(st.tuples(*[st.integers(1, 9)] * 2, st.sampled_from([1, 3, 4])))
        dataset = images(*sides, n_classes)
    else:
        dataset = texts(data.draw(st.integers(2, 9)), n_classes, is_labelled=name != "gpt")
    recipe = training.registry._BY_NAME[name](recipe=name, **options, batch_size=batch)
    recipe = recipe.suited(dataset)
    assert isinstance(recipe, GradientOptions)
    assert recipe._takes_surely(dataset) is (batch > 1)
    if batch > 1:
        recipe._on_paper(dataset)


LARGE, EXAMPLE = options._LARGE, options._LARGE_EXAMPLE


@pytest.mark.parametrize(
    ("name", "table", "shape"),
    [
        ("mlp", {"widths": [LARGE, LARGE]}, (1, 1024, 1024)),
        ("cnn", {"channels": [LARGE, LARGE], "hidden": LARGE}, (1, 1, EXAMPLE)),
        ("resnet9", {"width": LARGE}, (1, 1024, 1024)),
        ("bag", {"width": LARGE, "buckets": LARGE}, (EXAMPLE,)),
        ("textcnn", {"width": LARGE, "channels": LARGE}, (EXAMPLE,)),
        ("transformer", {"width": LARGE, "heads": LARGE, "hidden": LARGE}, (EXAMPLE,)),
        ("gpt", {"width": LARGE, "heads": LARGE, "hidden": LARGE}, (EXAMPLE,)),
    ],
)
def test_nothing_overflows_at_the_bounds(
    name: str, table: dict[str, Any], shape: tuple[int, ...]
) -> None:
    is_text = len(shape) == 1
    recipe = training.registry._BY_NAME[name](
        recipe=name, **table, **({"vocabulary": LARGE} if is_text else {})
    )
    assert isinstance(recipe, GradientOptions)
    feed = Feed(shape, (0, *range(1, 1 + len(shape))), None if is_text else 255.0)
    on_paper(lambda: recipe.network(shape, LARGE), feed, 2, recipe.outputs(shape, LARGE))


def test_what_is_large_or_demanding_is_tried() -> None:
    dataset = images(8, 8, 3, 3)
    for table in (
        {"recipe": "mlp", "widths": [LARGE + 1]},
        {"recipe": "cnn", "channels": [8, LARGE + 1]},
        {"recipe": "torchvision:resnet18"},
    ):
        recipe = training.registry._recipe_class(table["recipe"], table)(**table)  # type: ignore[arg-type]
        assert isinstance(recipe, GradientOptions)
        assert not recipe._takes_surely(dataset)
