"""The norm of the gradient of an example's loss in the last layer.

Where the last layer is linear in h, the gradient of its weights and biases is (p − e_y) (h, 1)ᵀ.
Its norm ‖p − e_y‖ √(‖h‖² + 1) costs nothing beside the training. After Paul, Ganguli & Dziugaite,
"Deep learning on a data diet" (2021), whose GraNd is the norm in all layers.
"""

import numpy as np

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset


class LastLayerGradient(PerRunMethod):
    """The norm, mean over epochs and runs."""

    name = "last-layer-gradient"
    source = "after Paul et al. 2021"
    ends_linear = True

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        features = run.curves.features
        if features is None:
            raise ValueError(f"the last layer of {run.key} is not linear")
        return np.asarray((run.curves.error.astype(np.float64) * features).mean(0))
