"""A recipe is a training algorithm A with its options: what ``[training]`` describes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from memtail_core.data import Dataset
from memtail_core.training.classification import CLASSIFICATION
from memtail_core.training.engine import UNTUNED, Engine, Tuning
from memtail_core.training.outcome import Outcome

if TYPE_CHECKING:
    from memtail_core.training.backbones.extractor import Extractor


class Recipe(BaseModel, ABC):
    """Base of all recipes; a field is an option of ``[training]`` with its default.

    The fields and ``version`` are part of the study's id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    stackable: ClassVar[bool] = False  # whether many models can be trained at once
    streams: ClassVar[bool] = False  # whether mapped examples stay in their files in training
    version: ClassVar[int] = 1  # raise it when the same options train different models
    labelled: ClassVar[bool] = True  # whether examples have labels to learn
    recipe: str

    @property
    def outcome(self) -> Outcome:
        """What a trial records about each example."""
        return CLASSIFICATION

    @abstractmethod
    def engine(self, device: str, tuning: Tuning = UNTUNED) -> Engine:
        """Return the engine that trains this recipe on ``device`` ("cpu", "cuda", "cuda:1")."""

    def tuned(
        self, dataset: Dataset, subset_size: int, device: str, stacks: Sequence[int]
    ) -> Tuning:
        """Measure, within seconds, how this recipe trains fastest on this machine.

        Args:
            dataset, subset_size: the data, and how many examples a model trains on.
            device: where.
            stacks: how many models at once to choose from, ascending.
        """
        del dataset, subset_size, device, stacks
        return UNTUNED

    @property
    def extractor(self) -> "Extractor | None":
        """What turns the examples into features, once for all models; None: nothing does."""
        return None

    def check(self, dataset: Dataset) -> None:
        """Raise StudyError if this recipe cannot train on ``dataset``."""

    def check_probabilities(self) -> None:
        """Raise StudyError if the models give no probabilities of classes or tokens.

        A recipe that is known only once it has trained may pass, and its training fail.
        """

    def suited(self, dataset: Dataset) -> Self:
        """Fill in the options that follow from the data."""
        del dataset
        return self

    def completed(self, subset_size: int) -> "Recipe":
        """Fill in the defaults that depend on how many examples a model trains on."""
        del subset_size
        return self

    def model_bytes(self, dataset: Dataset) -> int:
        """Roughly how many bytes one model needs in training, without the data; 0 if unknown."""
        del dataset
        return 0

    def described(self) -> dict[str, Any]:
        """All options and the version, as in ``study.json``."""
        return {**self.model_dump(mode="json"), "version": self.version}
