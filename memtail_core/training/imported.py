"""The recipe of imported trials: other people trained them, and nobody here can train more."""

from typing import NoReturn

from memtail_core.data import Dataset
from memtail_core.errors import StudyError, TrainingError
from memtail_core.training.engine import UNTUNED, Tuning
from memtail_core.training.recipe import Recipe


class Imported(Recipe):
    """Where a recipe is expected and none is known.

    Attributes:
        trials_sha256: digest of everything that was imported, so that the study's id depends on it.
    """

    trials_sha256: str = ""

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> NoReturn:
        """Refuse to train."""
        del device, tuning
        raise TrainingError("the models were imported: memtail has no recipe to train others")

    def check(self, dataset: Dataset) -> None:
        """No study file can ask for it."""
        del dataset
        raise StudyError(
            f"[training] recipe = '{self.recipe}' is the recipe of studies made by memtail import: "
            "choose one that trains"
        )
