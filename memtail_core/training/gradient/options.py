"""The options that all network recipes share, and whether a network takes the data."""

from abc import abstractmethod
from dataclasses import replace
from math import ceil, prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from memtail_core.data import Dataset
from memtail_core.data.modalities import Feed
from memtail_core.errors import StudyError
from memtail_core.training.gradient.objective import LABELS, Objective
from memtail_core.training.gradient.schedules import Schedule, growing_sides
from memtail_core.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

_LARGE, _LARGE_EXAMPLE = 2**16, 2**20  # no product of these that a network makes overflows
_BATCH = 2  # the smallest there is in training, of batches of more than one


class GradientOptions(Recipe):
    """SGD, or AdamW, on cross-entropy.

    The defaults train until the networks fit their subset, because an example that is not fitted
    does not show memorization. Without ``epochs``, a network trains for ``default_epochs``, and for
    more on small data, where these would be fewer than ``fewest_steps``. At the recipe's own
    learning rate, a network that diverges is trained again at a lower one
    (:class:`.GradientEngine`).

    With ``resized_crop``, networks see images of that many pixels a side: random boxes, resized, in
    training, and the middle in evaluation. With ``first_size``, training begins at fewer pixels
    (:func:`.growing_sides`).

    With ``precision = "auto"`` a machine multiplies in bfloat16 where that is faster, and in
    float32 otherwise. Weights are updated and logits computed in float32 either way.

    ``momentum`` and ``weight_decay`` are those of the optimizer. A description without
    ``optimizer`` is one of SGD, since studies of version 0.1 have none.
    """

    version: ClassVar[int] = 2
    streams: ClassVar[bool] = True

    objective: ClassVar[Objective] = LABELS
    default_epochs: ClassVar[int] = 40
    fewest_steps: ClassVar[int] = 600
    stackable: ClassVar[bool] = True  # :func:`~.stacked_layers.stacked` knows all its layers
    undemanding: ClassVar[bool] = False  # whether the network takes whatever the checks let pass

    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    optimizer: Literal["sgd", "adamw"] = "sgd"
    schedule: Schedule = "one-cycle"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    flip: bool = False
    crop: Annotated[int, Field(ge=0)] = 0
    resized_crop: Annotated[int, Field(ge=0)] = 0
    first_size: Annotated[int, Field(ge=0)] = 0
    standardize: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @abstractmethod
    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Build the network, initialised from torch's current random state.

        Args:
            shape: of one example: (channels, height, width) or (features,).
            n_classes: the number of logits.
        """

    def outputs(self, shape: tuple[int, ...], n_classes: int) -> tuple[int, ...]:
        """The shape of what a network outputs for one example: the logits of each decision."""
        del shape
        return (n_classes,)

    def completed(self, subset_size: int) -> "GradientOptions":
        """Fill in ``epochs``; refuse single examples, which batches cannot normalise."""
        if subset_size < 2:
            raise StudyError(
                "each model would train on a single example: raise [subsets] ratio, or add data"
            )
        if self.epochs is not None:
            return self
        steps_per_epoch = ceil(subset_size / self.batch_size)
        epochs = max(self.default_epochs, ceil(self.fewest_steps / steps_per_epoch))
        return self.model_copy(update={"epochs": epochs})

    def described(self) -> dict[str, Any]:
        """All options and the version; those that version 0.1 had not, only where they are used."""
        described = super().described()
        default = type(self).model_fields["optimizer"].default
        if described["optimizer"] == default == "sgd":
            del described["optimizer"]
        for option in ("resized_crop", "first_size"):
            if not described[option]:
                del described[option]
        return described

    @property
    def may_lower_rate(self) -> bool:
        """Whether the learning rate is the recipe's own, not one that the user chose."""
        default: float = type(self).model_fields["learning_rate"].default
        return self.learning_rate == default

    @property
    def n_epochs(self) -> int:
        """The epochs each model trains for."""
        return self.epochs or self.default_epochs

    @property
    def sides(self) -> list[int]:
        """The pixels that random boxes are resized to in each epoch."""
        return growing_sides(self.first_size or self.resized_crop, self.resized_crop, self.n_epochs)

    def input_shape(self, feed: Feed) -> tuple[int, ...]:
        """The shape of one input of a network, where examples are fed like this."""
        side = self.resized_crop
        return (feed.shape[0], side, side) if side else feed.shape

    def check(self, dataset: Dataset) -> None:
        """Check the shapes, where that takes it by running two examples through."""
        is_augmented = self.flip or self.crop or self.resized_crop
        if is_augmented and not dataset.feed.can_augment:
            name = dataset.modality.name
            which = "resized_crop is" if self.resized_crop else "flip and crop are"
            raise StudyError(f"[training] {which} for images; these data are {name}")
        if self.resized_crop > min(dataset.feed.shape[1:], default=0) and self.resized_crop:
            raise StudyError(
                f"[training] resized_crop = {self.resized_crop}: the images have "
                f"{min(dataset.feed.shape[1:])} pixels; set a larger [dataset] size"
            )
        if self.first_size > self.resized_crop:
            raise StudyError(
                f"[training] first_size = {self.first_size}: images grow from it to resized_crop, "
                f"which is {self.resized_crop}"
            )
        if self.crop and self.crop >= (self.first_size or min(self.input_shape(dataset.feed)[1:])):
            raise StudyError(f"[training] crop = {self.crop}: less than the image's side")
        if self.nesterov and (not self.momentum or self.optimizer != "sgd"):
            raise StudyError("[training] nesterov = true needs momentum > 0, and SGD")
        if self._takes_surely(dataset):
            return
        try:
            network, _ = self._on_paper(dataset)
        except Exception as error:  # each network refuses in its own way
            shape = " × ".join(map(str, dataset.shape))
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise StudyError(
                f"[training] recipe = '{self.recipe}' cannot take examples of {shape}: {reason}"
            ) from error
        if self.first_size:
            self._check_first(network, dataset.feed)

    def _check_first(self, network: "nn.Module", feed: Feed) -> None:
        """The network must take the smaller images too."""
        from memtail_core.training.gradient.on_paper import answer

        small = replace(feed, shape=(feed.shape[0], self.first_size, self.first_size))
        try:
            answer(network, small, min(_BATCH, self.batch_size))
        except Exception as error:  # each network refuses in its own way
            raise StudyError(
                f"[training] first_size = {self.first_size}: networks of '{self.recipe}' that take "
                f"images of {self.resized_crop} pixels take no smaller ones; use a residual "
                "network, or leave first_size out"
            ) from error

    def model_bytes(self, dataset: Dataset) -> int:
        """Weights and activations in float32.

        24 bytes per weight: itself, gradient, momentum, a copy to compute with, and those of the
        next model. Activations are those of one batch that the gradients need.
        """
        network, activations = self._on_paper(dataset)
        weights = sum(parameter.numel() for parameter in network.parameters())
        return 24 * weights + activations * min(self.batch_size, len(dataset.y_train))

    def _takes_surely(self, dataset: Dataset) -> bool:
        """Whether two examples would pass; to know it without torch saves its import, of seconds.

        ``undemanding`` networks refuse only batches of one, and tensors too large to count.
        """
        options = (each if isinstance(each, tuple) else (each,) for _, each in self)
        sizes = [n for option in options for n in option if isinstance(n, int)]
        return (
            self.undemanding
            and self.batch_size > 1
            and not self.first_size
            and max(*sizes, len(dataset.classes)) <= _LARGE
            and prod(self.input_shape(dataset.feed)) <= _LARGE_EXAMPLE
        )

    def _on_paper(self, dataset: Dataset) -> tuple["nn.Module", int]:
        """See :func:`.on_paper`."""
        from memtail_core.training.gradient.on_paper import on_paper

        feed = replace(dataset.feed, shape=self.input_shape(dataset.feed))
        n_classes = len(dataset.classes)
        batch = min(_BATCH, self.batch_size)
        outputs = self.outputs(feed.shape, n_classes)
        return on_paper(lambda: self.network(feed.shape, n_classes), feed, batch, outputs)
