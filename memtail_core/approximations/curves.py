"""The outputs of one network for every training example, after each epoch of its training."""

import time
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memtail_core.store.archive import Arrays
from memtail_core.training.classification import correct_and_margin
from memtail_core.training.gradient.engine import diverged
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.representation import last_linear
from memtail_core.training.gradient.resident_data import ResidentData

_ROWS = 512
_KEPT = 4  # networks of a training that are stored, evenly spaced; the last is the trained one

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """E epochs × n examples; with z the logits, p = softmax z and e_y the one-hot label.

    Attributes:
        margin: float16, log p_y − log(1 − p_y), clipped to ± 100.
        gap: float16, z_y − max over c ≠ y of z_c, clipped to ± 100.
        correct: bool, whether the prediction is y.
        error: float16, ‖p − e_y‖, between 0 and √2.
        features: float32, √(‖h‖² + 1) with h the input of the last layer and 1 that of its biases;
            None if that layer is not linear.
    """

    margin: NDArray[np.float16]
    gap: NDArray[np.float16]
    correct: NDArray[np.bool_]
    error: NDArray[np.float16]
    features: NDArray[np.float32] | None

    @property
    def loss(self) -> Floats:
        """−log p_y = log(1 + exp(−margin)), float64 [E, n]."""
        return np.logaddexp(0, -self.margin.astype(np.float64))

    @property
    def probability(self) -> Floats:
        """p_y, float64 [E, n]."""
        return np.exp(-self.loss)

    def arrays(self) -> Arrays:
        """The arrays by name, bits packed, as they are stored."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays["correct"] = np.packbits(self.correct, axis=1)
        return {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def of(cls, arrays: Arrays) -> "Curves":
        """Read :meth:`arrays`; raises KeyError if one is missing."""
        margin = arrays["margin"]
        correct = np.unpackbits(arrays["correct"], axis=1, count=margin.shape[1]).astype(bool)
        return cls(margin, arrays["gap"], correct, arrays["error"], arrays.get("features"))


class CurveRecorder:
    """Records one network in training (an :data:`.EpochCallback`).

    Attributes:
        states: the network's weights and buffers, by name, after each of the epochs ``kept``.
        kept: epochs, from 1.
        seconds: the time that recording took.
    """

    def __init__(self, recipe: GradientRecipe, *, ends_linear: bool) -> None:
        self._recipe, self._ends_linear = recipe, ends_linear
        epochs = recipe.n_epochs
        self.kept = sorted({-(-epochs * part // _KEPT) for part in range(1, _KEPT + 1)})
        self.states: list[Arrays] = []
        self.seconds = 0.0
        self._epochs: list[dict[str, NDArray[Any]]] = []

    def __call__(self, epoch: int, networks: NetworkStack, data: ResidentData) -> None:
        """Record the only network of the stack."""
        start = time.perf_counter()
        network = networks.network.get_submodule("network")  # a stack of one
        lengths: list[Tensor] = []
        hook = None
        if self._ends_linear and (last := last_linear(network)) is not None:
            hook = last.register_forward_pre_hook(
                lambda _, inputs: lengths.append((inputs[0].float().square().sum(-1) + 1).sqrt())
            )
        try:
            parts = [
                self._batch(networks.logits(rows), labels)
                for rows, labels in zip(
                    data.x_train.split(_ROWS), data.y_train.split(_ROWS), strict=True
                )
            ]
        finally:
            if hook is not None:
                hook.remove()
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if lengths:
            outputs["features"] = torch.cat(lengths).flatten().cpu().numpy()
        self._epochs.append(outputs)
        if epoch in self.kept:
            state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
            self.states.append(
                {
                    name: (tensor.float() if tensor.is_floating_point() else tensor).numpy().copy()
                    for name, tensor in state.items()
                }
            )
        self.seconds += time.perf_counter() - start

    def _batch(self, logits: Tensor, y: Tensor) -> dict[str, NDArray[Any]]:
        if not bool(logits.isfinite().all()):
            raise diverged(self._recipe)
        correct, margin = correct_and_margin(logits, y)
        z = logits[0]
        own = z.gather(1, y[:, None])
        others = z.scatter(1, y[:, None], -torch.inf).amax(1)
        wrong = z.softmax(1).scatter_add(1, y[:, None], -torch.ones_like(own))
        return {
            "margin": margin[0],
            "gap": (own[:, 0] - others).clamp(-100, 100).half().cpu().numpy(),
            "correct": correct[0],
            "error": wrong.norm(dim=1).half().cpu().numpy(),
        }

    def curves(self) -> Curves:
        """All epochs so far."""
        names = self._epochs[0]
        curves = {name: np.stack([each[name] for each in self._epochs]) for name in names}
        features = curves.get("features")
        return Curves(curves["margin"], curves["gap"], curves["correct"], curves["error"], features)
