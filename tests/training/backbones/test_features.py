"""Features of a frozen backbone against torchvision itself, and heads against plain recipes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional

from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.study import DatasetTable
from memtail_core.training.backbones.frozen import Frozen
from tests.training.backbones.test_engines import SMALL
from tests.training.contract import assert_same_bits
from tests.training.test_engines import digits

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def colours() -> Dataset:
    """300 colour images of 40 pixels: more than one part."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (330, 40, 40, 3), dtype=np.uint8)
    y = np.arange(330) % 3
    return Dataset.from_arrays(x[:300], y[:300], x[300:], y[300:])


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(1)
    return torchvision.models.shufflenet_v2_x0_5().eval()


@pytest.fixture(scope="module")
def recipe(
    colours: Dataset, network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory
) -> Frozen:
    file = tmp_path_factory.mktemp("weights") / "shufflenet.pt"
    torch.save(network.state_dict(), file)
    table = {
        "recipe": "finetune",
        "backbone": "torchvision:shufflenet_v2_x0_5",
        "weights": str(file),
        "size": 64,
    }
    made = training.resolve(table, colours, 200)
    assert isinstance(made, Frozen)
    return made


def test_features_are_those_of_torchvision(
    colours: Dataset, network: torch.nn.Module, recipe: Frozen
) -> None:
    """A plain forward pass: pixels to 0 … 1, resized, scaled, and the last layer left out."""
    images = colours.test.whole()
    x = (images / 255 - MEAN) / DEVIATION  # scaling and resizing commute: both are linear
    inputs = torch.from_numpy(x).permute(0, 3, 1, 2).float()
    inputs = functional.interpolate(inputs, (64, 64), mode="bilinear", antialias=True)
    body = torchvision.models.shufflenet_v2_x0_5()
    body.load_state_dict(network.state_dict())
    body.fc = torch.nn.Identity()
    with torch.inference_mode():
        expected = body.eval()(inputs).numpy()
    found = recipe.extractor.features(images, colours.feed, "cpu")
    assert found.dtype == np.float32
    assert found.shape == (30, 1024)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_a_grey_image_is_seen_as_three_equal_channels(recipe: Frozen, colours: Dataset) -> None:
    grey = colours.test.whole()[..., :1]
    shape = Dataset.from_arrays(grey, np.arange(30) % 2, grey, np.arange(30) % 2).feed
    found = recipe.extractor.features(grey, shape, "cpu")
    thrice = recipe.extractor.features(np.repeat(grey, 3, axis=3), colours.feed, "cpu")
    np.testing.assert_allclose(found, thrice, rtol=1e-4, atol=1e-5)


def test_parts_are_the_same_bits_as_the_whole(recipe: Frozen, colours: Dataset) -> None:
    extractor = recipe.extractor
    whole = extractor.features(colours.train.whole(), colours.feed, "cpu")
    part = extractor.features(colours.train.take(slice(256, 300)), colours.feed, "cpu")
    assert part.tobytes() == whole[256:].tobytes()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = extractor.features(colours.train.whole(), colours.feed, "cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert again.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("linear", {"l2": 0.01}),
        ("mlp", {"widths": [16], "epochs": 5, "learning_rate": 0.05}),
    ],
)
def test_a_head_is_the_recipe_on_a_table_of_the_features(
    tmp_path: Path, head: str, options: dict[str, Any]
) -> None:
    """Byte for byte, whatever wrote the features down."""
    images = digits()
    recipe = training.resolve(SMALL | {"head": head} | options, images, 175)
    assert isinstance(recipe, Frozen)
    features = recipe.extractor.derived(images, "cpu")
    file = tmp_path / "features.npz"
    np.savez(
        file,
        x_train=features.train.whole(),
        y_train=images.y_train,
        x_test=features.test.whole(),
        y_test=images.y_test,
    )
    table = load(DatasetTable(source=f"npz:{file}"))
    subsets = np.stack([np.random.default_rng(k).permutation(250) < 175 for k in range(3)])
    seeds = np.arange(3)
    plain = training.resolve({"recipe": head} | options, table, 175)
    expected = plain.engine("cpu").train(table, subsets, seeds)
    assert_same_bits(recipe.engine("cpu").train(images, subsets, seeds), expected)


def test_features_are_computed_once_and_not_for_changed_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    from memtail_core.training.backbones.extractor import Extractor

    images = replace(digits())
    recipe = training.resolve(SMALL, images, 175)
    assert isinstance(recipe, Frozen)
    first = recipe.extractor.derived(images, "cpu")
    calls, original = list[int](), Extractor.features

    def counted(self: Extractor, x: Any, *others: Any, **named: Any) -> Any:
        calls.append(len(x))
        return original(self, x, *others, **named)

    monkeypatch.setattr(Extractor, "features", counted)
    assert recipe.extractor.derived(images, "cpu") is first
    assert not calls
    recipe.extractor.derived(replace(images, y_train=images.y_train[::-1].copy()), "cpu")
    assert sum(calls) == 370


def test_the_digest_is_of_all_that_features_depend_on(recipe: Frozen, colours: Dataset) -> None:
    from dataclasses import replace

    extractor = recipe.extractor
    others = [
        replace(extractor, size=32),
        replace(extractor, mean=(0.5, 0.5, 0.5)),
        replace(extractor, deviation=(0.5, 0.5, 0.5)),
        replace(extractor, weights="sha256:" + "0" * 64),
        replace(extractor, source_sha256="0" * 64),
        replace(extractor, backbone="torchvision:shufflenet_v2_x1_0"),
    ]
    digests = {each.digest(colours) for each in [extractor, *others]}
    assert len(digests | {extractor.digest(digits())}) == 8
