"""One training as methods read it: its curves, its networks, and what is computed from them."""

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
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.resident_data import ResidentData

TRAINING, CURVES = "training", "curves"


@dataclass(frozen=True, eq=False)
class Setting:
    """The study whose networks are recorded: what all its runs share."""

    store: ObjectStore
    study: Study
    dataset: Dataset
    device: str

    @cached_property
    def recipe(self) -> training.Recipe:
        """The recipe of the study."""
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
        recipe = self.networks
        return ResidentData(
            *(self.dataset, recipe.standardize, torch.device(self.device)),
            resized_crop=recipe.resized_crop,
        )


@dataclass(frozen=True, eq=False)
class Networks:
    """The stored networks of one training; the last is the trained one."""

    setting: Setting
    states: tuple[Arrays, ...]

    def __len__(self) -> int:
        return len(self.states)

    def at(self, number: int) -> nn.Module:
        """Return network ``number`` in float32, in inference mode."""
        recipe, dataset = self.setting.networks, self.setting.dataset
        with own_randomness(torch.device("cpu")):
            network = recipe.network(recipe.input_shape(dataset.feed), len(dataset.classes))
        state = {name: torch.from_numpy(array) for name, array in self.states[number].items()}
        network.load_state_dict(state)
        return network.to(self.setting.device).eval()


@dataclass(frozen=True)
class Part:
    """Something computed once from the networks of a training, and stored.

    Attributes:
        name: the end of its key; it contains everything that changes the numbers.
        make: computes it from the networks: arrays by name.
    """

    name: str
    make: Callable[[Networks], Arrays]


@dataclass(frozen=True, eq=False)
class Run:
    """One training.

    Attributes:
        subset: bool [n], the examples it was trained on.
        curves: its outputs for every example, epoch by epoch.
        networks: those that were stored.
        key: where it is stored, without the ending.
        seconds: of training (``"training"``), recording (``"curves"``) and each part.
    """

    subset: NDArray[np.bool_]
    curves: Curves
    networks: Networks
    key: str
    seconds: dict[str, float]
    _parts: dict[str, Arrays] = field(default_factory=dict)

    def part(self, part: Part) -> Arrays:
        """Return a part from the store; compute and store it first if it is missing."""
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
        """Seconds of the training and of the parts ``reads``."""
        return self.seconds[TRAINING] + sum(self.seconds[name] for name in reads)
