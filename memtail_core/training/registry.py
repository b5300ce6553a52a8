"""Every recipe by its name, and how ``[training]`` becomes one. A new recipe adds a line here."""

import json
from collections.abc import Callable
from typing import Any

from memtail_core.data import Dataset
from memtail_core.errors import StudyError, did_you_mean
from memtail_core.study import FINETUNE, IMPORTED
from memtail_core.study.validation import validated
from memtail_core.training.backbones.recipe import finetune
from memtail_core.training.gradient.gpt import GPT
from memtail_core.training.gradient.networks import CNN, MLP, ResNet9, TorchvisionNetwork
from memtail_core.training.gradient.text_networks import Bag, TextCNN, Transformer
from memtail_core.training.imported import Imported
from memtail_core.training.linear.recipe import Linear
from memtail_core.training.predictors.python_recipe import PythonRecipe
from memtail_core.training.predictors.sklearn_recipe import SklearnRecipe
from memtail_core.training.recipe import Recipe

_BY_NAME: dict[str, type[Recipe]] = {
    "mlp": MLP,
    "cnn": CNN,
    "resnet9": ResNet9,
    "linear": Linear,
    "bag": Bag,
    "textcnn": TextCNN,
    "transformer": Transformer,
    "gpt": GPT,
    IMPORTED: Imported,
}
_BY_PREFIX: dict[str, type[Recipe]] = {
    "torchvision": TorchvisionNetwork,
    "sklearn": SklearnRecipe,
    "python": PythonRecipe,
}
_BY_OPTIONS: dict[str, Callable[[dict[str, Any]], type[Recipe]]] = {FINETUNE: finetune}
_DERIVED = ("version", "source_sha256")  # set by memtail, not by the user


def resolve(
    training: dict[str, Any], dataset: Dataset, subset_size: int, where: str = "the study"
) -> Recipe:
    """Turn the table ``[training]`` into a recipe with every default filled in.

    Args:
        training: the table; may be empty.
        dataset: what is trained on; the default recipe depends on its modality.
        subset_size: how many examples each model trains on.
        where: the beginning of error messages.

    Raises:
        StudyError: the recipe or an option is unknown, or does not suit the data.
    """
    _check_options(training)
    name = training.get("recipe", dataset.default_recipe)
    recipe = validated(
        _recipe_class(name, training), {**training, "recipe": name}, f"{where}: [training]"
    )
    recipe = recipe.suited(dataset)
    _check_labels(recipe, dataset)
    recipe.check(dataset)
    return recipe.completed(subset_size)


def restore(training: dict[str, Any]) -> Recipe:
    """Turn ``study.training`` back into its recipe.

    Raises:
        StudyError: this version of memtail, or of the user's code, would train different models.
    """
    options = {key: value for key, value in training.items() if key not in _DERIVED}
    recipe = validated(_recipe_class(training["recipe"], training), options, "study.json: training")
    if recipe.described() != training:
        raise StudyError(
            f"'{recipe.recipe}' no longer trains the models of this study: its code has changed; "
            "start a new study, or restore that code"
        )
    return recipe


def _check_labels(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse a recipe that learns labels for examples without, and the other way around."""
    if recipe.labelled and not dataset.is_labelled:
        raise StudyError(
            f"[training] recipe = '{recipe.recipe}' learns labels, and these texts have none: use "
            f"'{dataset.default_recipe}', or leave out [dataset] task"
        )
    if dataset.is_labelled and not recipe.labelled:
        raise StudyError(
            f"[training] recipe = '{recipe.recipe}' models texts without labels: set [dataset] "
            f"task = \"language-modelling\", or use '{dataset.default_recipe}'"
        )


def _check_options(training: dict[str, Any]) -> None:
    """Refuse values that ``study.json`` cannot store exactly."""
    for option, value in training.items():
        if option in _DERIVED:
            raise StudyError(
                f"[training] {option} is reserved by memtail: give the option another name"
            )
        try:
            json.dumps(value, allow_nan=False)
        except (ValueError, TypeError) as error:
            raise StudyError(
                f"[training] {option} = {value}: use finite numbers, texts, true or false, and "
                "lists and tables of these"
            ) from error


def _recipe_class(name: Any, training: dict[str, Any]) -> type[Recipe]:
    if not isinstance(name, str):
        raise StudyError(f"[training] recipe = {name!r}: should be a name in quotes")
    prefix, is_path, _ = name.partition(":")
    if is_path and prefix in _BY_PREFIX:
        return _BY_PREFIX[prefix]
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in _BY_OPTIONS:
        return _BY_OPTIONS[name](training)
    known = [*_BY_NAME, *_BY_OPTIONS, "torchvision:resnet18", "sklearn:…", "python:module:function"]
    raise StudyError(f"[training] recipe = '{name}' is not known{did_you_mean(name, known)}")
