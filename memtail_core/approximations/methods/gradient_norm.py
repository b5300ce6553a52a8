"""GraNd: the norm of the gradient of an example's loss.

Paul, Ganguli & Dziugaite, "Deep learning on a data diet" (2021). It covers the weights of fully
connected and convolutional layers.
"""

import numpy as np
import torch

from memtail_core.approximations.example_gradients import factors, squared_norms
from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Networks, Part, Run
from memtail_core.data import Dataset
from memtail_core.store.archive import Arrays

_ROWS = 128


def gradient_norms(networks: Networks) -> Arrays:
    """‖∇ loss‖ of every training example at each of the S stored networks: float32 [S, n]."""
    data = networks.setting.data
    norms = []
    for number in range(len(networks)):
        network, parts = networks.at(number), []
        for rows, y in zip(data.x_train.split(_ROWS), data.y_train.split(_ROWS), strict=True):
            margin, layers = factors(network, data.inputs(rows), y)
            norm = torch.stack([squared_norms(layer) for layer in layers]).sum(0).sqrt()
            parts.append(torch.sigmoid(-margin) * norm)  # ∇ loss = −(1 − p_y) ∇ margin
        norms.append(torch.cat(parts))
    return {"norm": torch.stack(norms).cpu().numpy()}


GRADIENTS = Part("gradients", gradient_norms)


class GradientNorm(PerRunMethod):
    """The norm, mean over the stored networks and over runs."""

    name = "gradient-norm"
    source = "GraNd, Paul et al. 2021"
    reads: tuple[str, ...] = (GRADIENTS.name,)

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        return np.asarray(run.part(GRADIENTS)["norm"].astype(np.float64).mean(0))
