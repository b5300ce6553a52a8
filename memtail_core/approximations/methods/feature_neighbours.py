"""Label disagreement among nearest neighbours in the features of a trained network."""

from memtail_core.approximations.label_disagreement import disagreement
from memtail_core.approximations.last_features import FEATURES
from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset


class FeatureNeighbours(PerRunMethod):
    """Disagreement among the features of the last layer, averaged over runs."""

    name = "feature-neighbours"
    source = "nearest neighbours"
    reads: tuple[str, ...] = (FEATURES.name,)
    ends_linear = True

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        return disagreement(run.part(FEATURES)["train"], dataset.y_train)
