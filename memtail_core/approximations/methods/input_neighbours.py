"""Label disagreement among nearest neighbours in the input space; it needs no training."""

from collections.abc import Sequence

from memtail_core.approximations.label_disagreement import disagreement
from memtail_core.approximations.method import Floats
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset
from memtail_core.data.neighbours import vectors


class InputNeighbours:
    """Disagreement among the inputs, each channel or column standardized."""

    name = "input-neighbours"
    source = "nearest neighbours"
    trains = False
    reads: tuple[str, ...] = ()
    ends_linear = False

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del runs
        return disagreement(vectors(dataset, standardize=True), dataset.y_train)
