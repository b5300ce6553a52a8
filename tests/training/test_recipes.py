import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models

from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.errors import StudyError, TrainingError
from memtail_core.study import DatasetTable, Spec, shipped
from memtail_core.training.device import resolve_device
from memtail_core.training.gradient import on_paper
from memtail_core.training.predictors import sklearn_recipe
from tests.training.test_engines import digits


@pytest.fixture(scope="module")
def images() -> Dataset:
    return digits()


@pytest.fixture(scope="module")
def features() -> Dataset:
    return load(DatasetTable(source="sklearn:wine"))


def test_the_default_recipe_suits_the_data(images: Dataset, features: Dataset) -> None:
    assert training.resolve({}, images, 175).recipe == "cnn"
    assert training.resolve({}, features, 100).recipe == "mlp"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"recipe": "mpl"}, r"recipe = 'mpl' is not known \(did you mean 'mlp'"),
        ({"recipe": 5}, "recipe = 5: should be a name in quotes"),
        ({"recipe": "mlp", "epoch": 3}, r"\[training\]: epoch is not a known key .*'epochs'"),
        ({"recipe": "mlp", "epochs": 0}, r"epochs = 0: .*greater than or equal to 1"),
        ({"recipe": "mlp", "epochs": "many"}, r"epochs = 'many': .*integer"),
        ({"recipe": "mlp", "learning_rate": -1.0}, "learning_rate = -1.0"),
        ({"recipe": "mlp", "widths": [0]}, "widths = 0: .*greater than or equal to 1"),
        ({"recipe": "mlp", "schedule": "cosine"}, "schedule = 'cosine': .*'one-cycle'"),
        ({"recipe": "mlp", "precision": "fp8"}, "precision = 'fp8'"),
        ({"recipe": "mlp", "nesterov": True, "momentum": 0.0}, "nesterov = true needs momentum"),
        ({"recipe": "cnn", "crop": 8}, "crop = 8: less than the image's side"),
        ({"recipe": "torchvision:resnet19"}, "torchvision has none .*'resnet18'"),
        ({"recipe": "torchvision:alexnet"}, "cannot take examples of 8 × 8 × 1"),
        ({"recipe": "sklearn:ensemble.Forest"}, r"scikit-learn has no 'ensemble.Forest'"),
        ({"recipe": "sklearn:linear_model.Lasso"}, "is not a classifier"),
        ({"recipe": "sklearn:os.system"}, "scikit-learn has no 'os.system'"),
        ({"recipe": "sklearn:svm.SVC", "gama": 1}, "gama is no option of .*did you mean 'gamma'"),
        ({"recipe": "sklearn:svm.SVC", "random_state": 1}, "random_state is set by memtail"),
        ({"recipe": "sklearn:ensemble.VotingClassifier"}, "cannot be made from options alone"),
        ({"recipe": "python:nowhere:f"}, "cannot import nowhere"),
        ({"recipe": "python:tests.training.user_recipe:f"}, "has no 'f'"),
        ({"recipe": "python:tests"}, "write python:module:function"),
        ({"recipe": "python:tests.training.user_recipe:np"}, "is not a function"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_trained(
    images: Dataset, table: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        training.resolve(table, images, 175)


@pytest.mark.parametrize("recipe", ["cnn", "resnet9", "torchvision:resnet18"])
def test_convolutions_on_a_table_are_refused(features: Dataset, recipe: str) -> None:
    with pytest.raises(StudyError, match=r"is for images.*use 'mlp' or 'sklearn:"):
        training.resolve({"recipe": recipe}, features, 100)


def test_flips_of_a_table_are_refused(features: Dataset) -> None:
    with pytest.raises(StudyError, match="flip and crop are for images"):
        training.resolve({"recipe": "mlp", "flip": True}, features, 100)


@pytest.mark.parametrize(
    "recipe",
    ["resnet18", "resnet50", "densenet121", "vgg11_bn", "mobilenet_v3_small", "efficientnet_b0"],
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.slow
def test_torchvision_networks_take_small_images(recipe: str, channels: int) -> None:
    x = np.zeros((4, 32, 32, channels), np.uint8)
    data = Dataset.from_arrays(x, [0, 1, 2, 1], x, [0, 1, 2, 1])
    found = training.resolve({"recipe": f"torchvision:{recipe}"}, data, 3)
    assert found.model_bytes(data) > 1e6


def test_small_images_keep_their_resolution_in_a_resnet() -> None:
    from memtail_core.training.gradient.networks import TorchvisionNetwork

    network = TorchvisionNetwork(recipe="torchvision:resnet18").network((3, 32, 32), 10)
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == 11_173_962, "the CIFAR ResNet-18 of the literature"


def test_small_data_get_more_epochs_so_that_models_fit(images: Dataset) -> None:
    epochs = {m: training.resolve({"recipe": "mlp"}, images, m).epochs for m in (100, 1000, 9999)}
    assert epochs == {100: 300, 1000: 40, 9999: 40}
    assert training.resolve({"recipe": "mlp", "epochs": 3}, images, 100).epochs == 3


def test_a_models_memory_is_its_weights_and_what_a_batch_leaves(images: Dataset) -> None:
    recipe = training.resolve({"recipe": "mlp", "widths": [32], "batch_size": 50}, images, 175)
    weights = 64 * 32 + 32 + 32 * 10 + 10
    left = 4 * (64 + 32)  # the inputs of both products; ReLU's output is the second's input
    assert recipe.model_bytes(images) == 24 * weights + 50 * left


@pytest.mark.parametrize(
    "table", [{"recipe": "mlp"}, {"recipe": "cnn"}, {"recipe": "resnet9", "width": 8}]
)
def test_a_networks_memory_is_the_same_with_arithmetic_and_without(
    images: Dataset, table: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = training.resolve(table, images, 175)
    with_arithmetic = recipe.model_bytes(images)
    monkeypatch.setattr(on_paper, "_SMALL_NETWORK", 0)
    assert recipe.model_bytes(images) == with_arithmetic


def test_a_single_example_is_nothing_to_train_on(images: Dataset) -> None:
    with pytest.raises(StudyError, match=r"train on a single example: raise \[subsets\] ratio"):
        training.resolve({"recipe": "resnet9"}, images, 1)


def test_batch_normalisation_of_single_examples_is_refused(images: Dataset) -> None:
    with pytest.raises(StudyError, match="more than 1 value per channel"):
        training.resolve({"recipe": "resnet9", "batch_size": 1}, images, 175)


def test_described_and_restored_is_the_same_recipe(images: Dataset) -> None:
    for table in (
        {"recipe": "mlp", "widths": [8, 4]},
        {"recipe": "torchvision:resnet18"},
        {"recipe": "sklearn:ensemble.RandomForestClassifier", "max_depth": 3},
        {"recipe": "python:tests.training.user_recipe:nearest", "power": 1},
    ):
        recipe = training.resolve(table, images, 175)
        assert training.restore(recipe.described()) == recipe


def test_a_study_of_changed_code_is_refused(images: Dataset) -> None:
    table = {"recipe": "python:tests.training.user_recipe:nearest", "power": 1}
    described = training.resolve(table, images, 175).described()
    with pytest.raises(StudyError, match="its code has changed"):
        training.restore({**described, "source_sha256": "0" * 64})
    newer = {**training.resolve({"recipe": "mlp"}, images, 175).described(), "version": 99}
    with pytest.raises(StudyError, match="its code has changed"):
        training.restore(newer)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("wrong_shape", r"returned float64 \[3, 3\] for 250 examples"),
        ("not_finite", "not finite"),
        ("changes_the_data", "read-only"),
        ("exits", "failed: SystemExit: 3"),
        ("other_labels", "labels from 99 to 99: they must be 0 to 9"),
        ("returns_nothing", r"returned NoneType: return predict\(x\)"),
        ("fails", "'python:.*' failed: ValueError: the user's own mistake"),
    ],
)
def test_the_users_mistakes_are_one_sentence(images: Dataset, function: str, message: str) -> None:
    recipe = training.resolve(
        {"recipe": f"python:tests.training.user_recipe:{function}"}, images, 175
    )
    with pytest.raises(TrainingError, match=message) as raised:
        recipe.engine("cpu").train(images, np.ones((1, 250), bool), np.array([0]))
    assert "\n" not in str(raised.value)


def test_labels_alone_are_enough(images: Dataset) -> None:
    recipe = training.resolve(
        {"recipe": "python:tests.training.user_recipe:labels_only"}, images, 175
    )
    found = recipe.engine("cpu").train(images, np.ones((1, 250), bool), np.array([0]))
    assert found.train_value is None
    assert 0.02 < found.train_correct.mean() < 0.3


def test_a_diverging_model_is_an_error_not_a_score(images: Dataset) -> None:
    recipe = training.resolve({"recipe": "mlp", "learning_rate": 1e9}, images, 175)
    with pytest.raises(TrainingError, match=r"diverged .* lower \[training\] learning_rate"):
        recipe.engine("cpu").train(images, np.ones((1, 250), bool), np.array([0]))


def test_a_device_that_is_not_there_is_refused() -> None:
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(TrainingError, match="--device"):
        resolve_device("cuda:99")
    with pytest.raises(TrainingError, match="--device tpu"):
        resolve_device("tpu")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"version": 3}, "version is reserved by memtail"),
        ({"alpha": float("inf")}, "alpha = inf: use finite numbers"),
        ({"alpha": [1.0, float("nan")]}, "use finite numbers"),
        ({"since": date(2024, 1, 1)}, "since = 2024-01-01: use finite numbers"),
    ],
)
def test_an_option_that_a_study_could_not_keep_is_refused(
    images: Dataset, option: dict[str, Any], message: str
) -> None:
    recipe = {"recipe": "python:tests.training.user_recipe:nearest"}
    with pytest.raises(StudyError, match=message):
        training.resolve(recipe | option, images, 175)


@pytest.mark.parametrize("recipe", ["vgg11_bn", "regnet_y_400mf"])
def test_networks_that_need_care_take_mnists_28_pixels(recipe: str) -> None:
    x = np.zeros((4, 28, 28, 1), np.uint8)
    data = Dataset.from_arrays(x, [0, 1, 2, 1], x, [0, 1, 2, 1])
    assert training.resolve({"recipe": f"torchvision:{recipe}"}, data, 3).model_bytes(data) > 1e6


def test_a_network_for_another_size_of_image_is_refused(images: Dataset) -> None:
    with pytest.raises(StudyError, match=r"cannot take examples of .* Expected 224 but got"):
        training.resolve({"recipe": "torchvision:vit_b_16"}, images, 175)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_recipes_of_studies_that_ship_suit_their_data(name: str, tmp_path: Path) -> None:
    spec = Spec.load(name)
    table = spec.training
    if "backbone" in table:  # as offline: the published weights are a file
        network = torchvision.models.get_model(table["backbone"].removeprefix("torchvision:"))
        torch.save(network.state_dict(), tmp_path / "weights.pth")
        table = table | {"weights": str(tmp_path / "weights.pth")}
    sizes = {"torchvision:CIFAR10": (32, 3), "torchvision:CIFAR100": (32, 3)}
    sizes["packed:imagenet.memtail"] = (160, 3)
    side, channels = sizes.get(spec.dataset.source, (28, 1))
    n_classes = 100 if spec.dataset.source.endswith("100") else 10
    x = np.zeros((n_classes, side, side, channels), np.uint8)
    data = Dataset.from_arrays(x, np.arange(n_classes), x, np.arange(n_classes))
    recipe = training.resolve(table, data, 42_000)
    assert training.restore(recipe.described()) == recipe
    assert recipe.model_bytes(data) > 1e6


def test_a_warning_of_predict_is_printed_once(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """scikit-learn warns at each predict, which is hundreds of lines in a study."""
    from sklearn.neighbors import KNeighborsClassifier

    def predict(self: Any, x: Any) -> Any:
        warnings.warn(f"{len(x)} rows are\nfar away", UserWarning, stacklevel=2)
        return original(self, x)

    original = KNeighborsClassifier.predict
    monkeypatch.setattr(KNeighborsClassifier, "predict", predict)
    monkeypatch.setattr(sklearn_recipe, "_WARNED", set())
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
    data = Dataset.from_arrays(x, y, x[:9], y[:9])
    recipe = training.resolve({"recipe": "sklearn:neighbors.KNeighborsClassifier"}, data, 28)
    subsets = np.stack([np.random.default_rng(k).permutation(40) < 28 for k in range(4)])
    recipe.engine("cpu").train(data, subsets, np.arange(4))
    (line,) = capfd.readouterr().err.splitlines()
    name = "sklearn:neighbors.KNeighborsClassifier"
    assert line == f"Warning: {name}: UserWarning: 40 rows are far away"
