"""Every approximation by its name, and which of them a study's recipe allows."""

from collections.abc import Sequence

from memtail_core.approximations.combination import Combination
from memtail_core.approximations.cumulative_loss import CumulativeLoss
from memtail_core.approximations.forgetting import Forgetting
from memtail_core.approximations.gradient_norms import ErrorNorm, GradientNorm, LastLayerGradient
from memtail_core.approximations.input_curvature import InputCurvature
from memtail_core.approximations.label_neighbours import FeatureNeighbours, InputNeighbours
from memtail_core.approximations.method import AnyMethod, InfluenceMethod, Method
from memtail_core.approximations.projected_gradients import ProjectedGradients
from memtail_core.approximations.similarity import (
    RepresentationSimilarity,
    WeightedSimilarity,
)
from memtail_core.approximations.training_dynamics import AreaUnderMargin, Confidence, Variability
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError, did_you_mean
from memtail_core.training import Recipe
from memtail_core.training.gradient import GradientRecipe
from memtail_core.training.representation import ends_linear

ALL = "all"


_ALONE: tuple[Method, ...] = (
    InputNeighbours(),
    CumulativeLoss(),
    Confidence(),
    Variability(),
    AreaUnderMargin(),
    Forgetting(),
    ErrorNorm(),
    LastLayerGradient(),
    GradientNorm(),
    InputCurvature(),
    FeatureNeighbours(),
)
_COMBINED = (  # what is cheap, and grows with memorization all the way
    "input-neighbours",
    "cumulative-loss",
    "confidence",
    "area-under-margin",
    "last-layer-gradient",
    "feature-neighbours",
)
METHODS: tuple[Method, ...] = (
    *_ALONE,
    Combination([method for method in _ALONE if method.name in _COMBINED]),
)
INFLUENCE_METHODS: tuple[InfluenceMethod, ...] = (
    RepresentationSimilarity(),
    WeightedSimilarity(),
    ProjectedGradients(),
)


def named(names: Sequence[str]) -> list[AnyMethod]:
    """Return the methods of these names, in the registry's order; ``all``, or no name: all.

    Raises:
        EstimationError: there is no such method.
    """
    every: dict[str, AnyMethod] = {m.name: m for m in (*METHODS, *INFLUENCE_METHODS)}
    for name in names:
        if name not in every and name != ALL:
            hint = did_you_mean(name, [*every, ALL])
            raise EstimationError(f"--method {name} is no approximation{hint}")
    return [m for name, m in every.items() if not names or ALL in names or name in names]


def why_not(method: AnyMethod, recipe: Recipe, dataset: Dataset) -> str | None:
    """Why a method cannot be had of networks of ``recipe``, in a few words; None if it can be."""
    if not getattr(method, "trains", True):
        return None
    if not isinstance(recipe, GradientRecipe):
        return f"'{recipe.recipe}' is not trained in epochs, by gradients"
    if method.ends_linear and not ends_linear(recipe, dataset):
        return f"the last layer of '{recipe.recipe}' is not linear"
    return None
