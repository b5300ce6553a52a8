"""How many of an example's nearest neighbours have another label.

Among the inputs, which takes no training, or among what the last layer of a trained network is
given. Neighbours vote with their rank's weight, 1 / rank, so that few scores tie.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from memtail_core.approximations.levelling import Floats, mean_over
from memtail_core.approximations.run import Networks, Part, Run
from memtail_core.data import Dataset, neighbours
from memtail_core.store.archive import Arrays
from memtail_core.training.representation import last_linear

_K = 20
_ROWS = 512

Nearest = Callable[[NDArray[np.float32], int], NDArray[np.int64]]


def nearest(x: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The k nearest other rows of each row of x [n, d], the nearest first: int64 [n, k]."""
    return neighbours.nearest(x, k).index


def disagreement(neighbours: NDArray[np.int64], y: NDArray[np.int64]) -> Floats:
    """The weighted share of the neighbours [n, k] that have another label than y [n]."""
    weights = 1 / np.arange(1, neighbours.shape[1] + 1)
    return np.asarray((y[neighbours] != y[:, None]) @ (weights / weights.sum()))


class InputNeighbours:
    """Disagreement among the inputs, each channel or column standardized."""

    name = "input-neighbours"
    source = "nearest neighbours"
    trains = False
    reads: tuple[str, ...] = ()
    ends_linear = False

    def __init__(self, search: Nearest = nearest, k: int = _K) -> None:
        """``search`` finds the k nearest."""
        self._search, self._k = search, k

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del runs
        x = neighbours.vectors(dataset, standardize=True)
        return disagreement(self._search(x, min(self._k, len(x) - 1)), dataset.y_train)


def last_features(networks: Networks) -> Arrays:
    """What the trained network's last layer is given: float32 [n, d] and [n_test, d]."""
    data, network = networks.setting.data, networks.at(-1)
    seen: list[torch.Tensor] = []
    last = last_linear(network)
    if last is None:
        raise ValueError("the network has no linear layer")
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found = {}
    with torch.inference_mode():
        for name, x in (("train", data.x_train), ("test", data.x_test)):
            for rows in x.split(_ROWS):
                network(data.inputs(rows).float())
            found[name] = torch.cat(seen).cpu().numpy()
            seen.clear()
    hook.remove()
    return found


FEATURES = Part("features", last_features)


class FeatureNeighbours:
    """Disagreement among the features of the last layer, averaged over runs."""

    name = "feature-neighbours"
    source = "nearest neighbours"
    trains = True
    reads: tuple[str, ...] = (FEATURES.name,)
    ends_linear = True

    def __init__(self, search: Nearest = nearest, k: int = _K) -> None:
        """``search`` finds the k nearest."""
        self._search, self._k = search, k

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""

        def of(run: Run) -> Floats:
            found = self._search(run.part(FEATURES)["train"], min(self._k, len(run.subset) - 1))
            return disagreement(found, dataset.y_train)

        return mean_over(runs, of)
