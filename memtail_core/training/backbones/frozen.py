"""The recipe ``finetune`` with a frozen backbone: heads on features that are computed once."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from memtail_core.data import Dataset
from memtail_core.errors import StudyError, did_you_mean
from memtail_core.study.validation import validated
from memtail_core.training.backbones.extractor import Extractor
from memtail_core.training.backbones.options import BackboneOptions
from memtail_core.training.checkpoints import NO_CHECKPOINTS, Checkpoints
from memtail_core.training.engine import UNTUNED, Engine, Tuning
from memtail_core.training.gradient.networks import MLP
from memtail_core.training.linear.recipe import Linear
from memtail_core.training.outcome import Outcomes
from memtail_core.training.recipe import Recipe

_COPIES = 4  # of the features, as floats, that a process holds


class Frozen(BackboneOptions):
    """A head on the features of a frozen backbone.

    The features are computed once, in inference mode and without augmentation. Each model is then a
    head, trained as the recipe ``linear`` or ``mlp`` trains on a table of these features, whose
    options are options here.
    """

    model_config = ConfigDict(extra="allow")
    streams: ClassVar[bool] = True  # no pixel is needed in training

    frozen: Literal[True] = True

    @property
    @abstractmethod
    def _head_class(self) -> type[Recipe]:
        """The recipe of the head."""

    @property
    def head_recipe(self) -> Recipe:
        """The recipe of the head, with the user's options of it."""
        options = self.model_extra or {}
        known = set(self._head_class.model_fields) - {"recipe"}
        for option in options:
            if option not in known:
                hint = did_you_mean(option, [*type(self).model_fields, *known])
                raise StudyError(f"[training] {option} is not a known key{hint}")
        return validated(self._head_class, dict(options), "[training]")

    @property
    def extractor(self) -> Extractor:
        """The backbone: its features are the same for all models."""
        return self.as_frozen

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> Engine:
        """The head's engine, which is given features for images."""
        return _OnFeatures(self, self.head_recipe.engine(device, tuning), device)

    def tuned(
        self, dataset: Dataset, subset_size: int, device: str, stacks: Sequence[int]
    ) -> Tuning:
        """Measure how heads train fastest."""
        features = self.as_frozen.derived(dataset, device)
        return self.head_recipe.tuned(features, subset_size, device, stacks)

    def suited(self, dataset: Dataset) -> Self:
        """Fill in the options of the backbone, then those of the head."""
        made = super().suited(dataset)
        return made._with(made.head_recipe.suited(made._blank(dataset)))

    def check(self, dataset: Dataset) -> None:
        """Backbone and head must suit the data."""
        super().check(dataset)
        self.head_recipe.check(self._blank(dataset))

    def completed(self, subset_size: int) -> "Frozen":
        """Fill in the defaults of the head that depend on the size of the subsets."""
        return self._with(self.head_recipe.completed(subset_size))

    def model_bytes(self, dataset: Dataset) -> int:
        """Bytes of a head, and of the features."""
        blank = self._blank(dataset)
        return self.head_recipe.model_bytes(blank) + _COPIES * blank.nbytes

    def described(self) -> dict[str, Any]:
        """The options of backbone and head, and both versions."""
        head, extra = self.head_recipe, self.model_extra or {}
        own = {name: value for name, value in super().described().items() if name not in extra}
        return {**own, **_options(head), "version": [self.version, head.version]}

    def _with(self, head: Recipe) -> Self:
        return self.model_copy(update=_options(head))

    def _blank(self, dataset: Dataset) -> Dataset:
        """Features of the right shape, in no memory."""
        width = self.as_frozen.width(dataset.feed)
        nothing = np.zeros((1, 1), np.float32)
        sizes = len(dataset.y_train), len(dataset.y_test)
        return self.as_frozen.dataset_of(
            dataset, *(np.broadcast_to(nothing, (n, width)) for n in sizes)
        )


def _options(head: Recipe) -> dict[str, Any]:
    """All options of a head, as in ``study.json``."""
    described = head.described()
    return {name: described[name] for name in described if name not in ("recipe", "version")}


class FrozenLinear(Frozen):
    """Logistic regression on the features, all models of a shard at once."""

    head: Literal["linear"] = "linear"

    @property
    def _head_class(self) -> type[Recipe]:
        return Linear


class FrozenMLP(Frozen):
    """Fully connected layers on the features, in stacks."""

    stackable: ClassVar[bool] = True
    head: Literal["mlp"] = "mlp"

    @property
    def _head_class(self) -> type[Recipe]:
        return HeadMLP


class HeadMLP(MLP):
    """The recipe ``mlp`` with the defaults of a head: one narrow hidden layer, and a lower rate.

    Features are correlated much more than pixels. At the rate of ``mlp`` all heads on ResNet-18's
    features of CIFAR-10 diverged, and were trained a second time, at this rate.
    """

    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)] = (128,)
    learning_rate: Annotated[float, Field(gt=0)] = 0.025


class _OnFeatures:
    """An engine that derives the features of a dataset and lets another train on them."""

    def __init__(self, recipe: Frozen, head: Engine, device: str) -> None:
        self._extractor, self._head, self._device = recipe.as_frozen, head, device

    @property
    def tuning(self) -> Tuning:
        """How the heads are trained."""
        return self._head.tuning

    @tuning.setter
    def tuning(self, tuning: Tuning) -> None:
        self._head.tuning = tuning

    def train(
        self,
        dataset: Dataset,
        subsets: NDArray[np.bool_],
        seeds: NDArray[np.int64],
        checkpoints: Checkpoints = NO_CHECKPOINTS,
        *,
        probabilities: bool = False,
    ) -> Outcomes:
        """See :class:`~memtail_core.training.engine.Engine`."""
        features = self._extractor.derived(dataset, self._device)
        return self._head.train(features, subsets, seeds, checkpoints, probabilities=probabilities)
