"""How strongly an example pulls at the weights: the norm of its gradient, and of its error.

Paul, Ganguli & Dziugaite, "Deep learning on a data diet" (2021): GraNd is the norm of the gradient
of an example's loss, EL2N the norm of its error p − e_y early in training; both are averages over
several runs there. With a last layer that is linear in h, the gradient of its weights and biases is
(p − e_y) (h, 1)ᵀ, whose norm ‖p − e_y‖ √(‖h‖² + 1) costs nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch

from memtail_core.approximations.layers import factors, squared_norms
from memtail_core.approximations.levelling import Floats, mean_over
from memtail_core.approximations.run import CURVES, Networks, Part, Run
from memtail_core.data import Dataset
from memtail_core.store.archive import Arrays

_EARLY = 0.1  # of the epochs, where Paul et al. found EL2N as good as later
_ROWS = 128


class ErrorNorm:
    """EL2N: ‖p − e_y‖ after a tenth of the epochs, averaged over runs."""

    name = "error-norm"
    source = "EL2N, Paul et al. 2021"
    trains = True
    reads: tuple[str, ...] = (CURVES,)
    ends_linear = False

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset

        def of(run: Run) -> Floats:
            errors = run.curves.error
            early = max(1, round(_EARLY * len(errors)))
            return np.asarray(errors[early - 1], np.float64)

        return mean_over(runs, of)


class LastLayerGradient:
    """The norm of the loss's gradient in the last layer, mean over epochs and runs."""

    name = "last-layer-gradient"
    source = "after Paul et al. 2021"
    trains = True
    reads: tuple[str, ...] = (CURVES,)
    ends_linear = True

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset

        def of(run: Run) -> Floats:
            features = run.curves.features
            if features is None:
                raise ValueError(f"the last layer of {run.key} is not linear")
            return np.asarray((run.curves.error.astype(np.float64) * features).mean(0))

        return mean_over(runs, of)


def gradient_norms(networks: Networks) -> Arrays:
    """‖∇ loss‖ of all weights of fully connected and convolutional layers: float32 [S, n].

    At each of the S networks kept, for every training example.
    """
    data = networks.setting.data
    found = []
    for number in range(len(networks)):
        network, parts = networks.at(number), []
        for rows, y in zip(data.x_train.split(_ROWS), data.y_train.split(_ROWS), strict=True):
            margin, layers = factors(network, data.inputs(rows).float(), y)
            norm = torch.stack([squared_norms(layer) for layer in layers]).sum(0).sqrt()
            parts.append(torch.sigmoid(-margin) * norm)  # 1 − p_y, times that of the margin
        found.append(torch.cat(parts))
    return {"norm": torch.stack(found).cpu().numpy()}


GRADIENTS = Part("gradients", gradient_norms)


class GradientNorm:
    """GraNd: the norm of the loss's gradient, mean over the networks kept and over runs."""

    name = "gradient-norm"
    source = "GraNd, Paul et al. 2021"
    trains = True
    reads: tuple[str, ...] = (GRADIENTS.name,)
    ends_linear = False

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset
        return mean_over(runs, lambda run: run.part(GRADIENTS)["norm"].astype(np.float64).mean(0))
