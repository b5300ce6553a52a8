"""Every approximation by its name, and which of them a recipe allows. A new one adds a line."""

from collections.abc import Sequence
from dataclasses import dataclass

from memtail_core.approximations.method import AnyMethod, InfluenceMethod, Method
from memtail_core.approximations.methods.area_under_margin import AreaUnderMargin
from memtail_core.approximations.methods.combination import Combination
from memtail_core.approximations.methods.confidence import Confidence
from memtail_core.approximations.methods.cumulative_loss import CumulativeLoss
from memtail_core.approximations.methods.error_norm import ErrorNorm
from memtail_core.approximations.methods.feature_neighbours import FeatureNeighbours
from memtail_core.approximations.methods.forgetting import Forgetting
from memtail_core.approximations.methods.gradient_norm import GradientNorm
from memtail_core.approximations.methods.input_curvature import InputCurvature
from memtail_core.approximations.methods.input_neighbours import InputNeighbours
from memtail_core.approximations.methods.last_layer_gradient import LastLayerGradient
from memtail_core.approximations.methods.linearised_retraining import LinearisedRetraining
from memtail_core.approximations.methods.projected_gradients import ProjectedGradients
from memtail_core.approximations.methods.representation_similarity import RepresentationSimilarity
from memtail_core.approximations.methods.variability import Variability
from memtail_core.approximations.methods.weighted_similarity import WeightedSimilarity
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError, did_you_mean
from memtail_core.training import Recipe
from memtail_core.training.classification import CLASSIFICATION
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.representation import ends_linear

ALL = "all"

METHODS: tuple[Method, ...] = (
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
    Combination(),
)
INFLUENCE_METHODS: tuple[InfluenceMethod, ...] = (
    RepresentationSimilarity(),
    WeightedSimilarity(),
    ProjectedGradients(),
    LinearisedRetraining(),
)


@dataclass(frozen=True)
class Chosen:
    """Some of the methods, in the registry's order."""

    methods: tuple[Method, ...]
    of_influence: tuple[InfluenceMethod, ...]

    def __len__(self) -> int:
        return len(self.methods) + len(self.of_influence)

    @property
    def _every(self) -> list[AnyMethod]:
        return [*self.methods, *self.of_influence]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [method.name for method in self._every]

    @property
    def trains(self) -> bool:
        """Whether any of them needs a training."""
        return any(method.trains for method in self._every)

    def applicable(self, recipe: Recipe, dataset: Dataset) -> "tuple[Chosen, dict[str, list[str]]]":
        """The methods that apply to ``recipe``; and the names of the others, by the reason."""
        why = {method.name: why_not(method, recipe, dataset) for method in self._every}
        left_out: dict[str, list[str]] = {}
        for name, reason in why.items():
            if reason is not None:
                left_out.setdefault(reason, []).append(name)
        methods = tuple(m for m in self.methods if why[m.name] is None)
        return Chosen(methods, tuple(m for m in self.of_influence if why[m.name] is None)), left_out


def named(names: Sequence[str]) -> Chosen:
    """Return the methods of these names; all of them for ``all`` or no name.

    Raises:
        EstimationError: there is no such method.
    """
    known = Chosen(METHODS, INFLUENCE_METHODS).names
    for name in names:
        if name not in (*known, ALL):
            hint = did_you_mean(name, [*known, ALL])
            raise EstimationError(f"--method {name} is no approximation{hint}")
    chosen = set(known if not names or ALL in names else names)
    return Chosen(
        tuple(method for method in METHODS if method.name in chosen),
        tuple(method for method in INFLUENCE_METHODS if method.name in chosen),
    )


def why_not(method: AnyMethod, recipe: Recipe, dataset: Dataset) -> str | None:
    """Why a method does not apply to networks of ``recipe``; None if it applies."""
    if not dataset.is_labelled:
        return "they approximate how labels are memorized, and these texts have none"
    if not method.trains:
        return None
    if not isinstance(recipe, GradientRecipe):
        return f"'{recipe.recipe}' does not train networks by epochs and gradients"
    if recipe.outcome is not CLASSIFICATION:
        return f"the networks of '{recipe.recipe}' are not classifiers"
    if isinstance(method, InputCurvature) and dataset.feed.divisor is None:
        return f"{dataset.modality.noun} cannot be changed a little, as numbers can"
    is_last_wrong = method.ends_linear and not ends_linear(recipe, dataset)
    return f"the last layer of '{recipe.recipe}' is not linear" if is_last_wrong else None
