"""One training as approximations see it: its curves, its networks, and what is made of those."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from memtail_core import training
from memtail_core.approximations.curves import Curves
from memtail_core.data import Dataset
from memtail_core.errors import DamagedError
from memtail_core.store import ObjectStore
from memtail_core.store.archive import Arrays, packed, unpacked
from memtail_core.study import Study
from memtail_core.training.device import own_randomness
from memtail_core.training.gradient import GradientRecipe
from memtail_core.training.resident import ResidentData

TRAINING, CURVES = "training", "curves"


@dataclass(frozen=True, eq=False)
class Setting:
    """What all runs of a study share."""

    store: ObjectStore
    study: Study
    dataset: Dataset
    device: str

    @cached_property
    def recipe(self) -> training.Recipe:
        """What trains."""
        return training.restore(self.study.training)

    @property
    def networks(self) -> GradientRecipe:
        """The recipe, where it trains networks; see :meth:`.Chosen.applicable`."""
        if not isinstance(self.recipe, GradientRecipe):
            raise TypeError(f"{self.recipe.recipe} trains no networks")
        return self.recipe

    @cached_property
    def data(self) -> ResidentData:
        """The examples as networks take them, in float32."""
        return ResidentData(self.dataset, self.networks.standardize, torch.device(self.device))


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of one training that were kept, the last the trained one."""

    setting: Setting
    states: tuple[Arrays, ...]

    def __len__(self) -> int:
        return len(self.states)

    def at(self, number: int) -> nn.Module:
        """Return network ``number`` in float32, in inference mode."""
        recipe, dataset = self.setting.networks, self.setting.dataset
        with own_randomness(torch.device("cpu")):
            network = recipe.network(dataset.feed.shape, len(dataset.classes))
        state = {name: torch.from_numpy(array) for name, array in self.states[number].items()}
        network.load_state_dict(state)
        return network.to(self.setting.device).eval()


@dataclass(frozen=True)
class Part:
    """Something made of the networks of a training, once.

    Attributes:
        name: what it is kept under; it says everything that changes the numbers.
        make: arrays by name, from the networks.
    """

    name: str
    make: Callable[[Networks], Arrays]


@dataclass(frozen=True, eq=False)
class Run:
    """One training.

    Attributes:
        subset: bool [n], what it was trained on.
        curves: what it made of every example, epoch by epoch.
        networks: those that were kept.
        key: where it is kept, without the ending.
        seconds: what training (``"training"``), watching (``"curves"``) and each part took.
    """

    subset: NDArray[np.bool_]
    curves: Curves
    networks: Networks
    key: str
    seconds: dict[str, float]
    _parts: dict[str, Arrays] = field(default_factory=dict)

    def part(self, part: Part) -> Arrays:
        """Return a part: as it is kept, or made now and kept."""
        if part.name not in self._parts:
            store, key = self.networks.setting.store, f"{self.key}-{part.name}.npz"
            with suppress(KeyError, DamagedError):
                self._parts[part.name] = unpacked(store.get(key))
            if part.name not in self._parts:
                start = time.perf_counter()
                made = part.make(self.networks)
                made["seconds"] = np.array(time.perf_counter() - start)
                store.put(key, packed(made))
                self._parts[part.name] = made
            self.seconds[part.name] = float(self._parts[part.name]["seconds"])
        return self._parts[part.name]

    def cost(self, reads: Sequence[str]) -> float:
        """Seconds of the training and of what is read of it."""
        return self.seconds[TRAINING] + sum(self.seconds[name] for name in reads)
