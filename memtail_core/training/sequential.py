"""The engine that trains one network after another, with the data resident on the device."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from memtail_core.data import Dataset
from memtail_core.errors import OutOfMemoryError, TrainingError
from memtail_core.training.augmentation import augmented
from memtail_core.training.engine import Outcomes
from memtail_core.training.judgement import judged

if TYPE_CHECKING:
    from memtail_core.training.gradient import GradientRecipe

_MOMENTS_ROWS = 1024
_EVALUATION_BATCH = 1024  # a constant, for the batch can change the last bits of the logits


class SequentialEngine:
    """Trains a :class:`GradientRecipe` one network at a time."""

    def __init__(self, recipe: "GradientRecipe", device: str) -> None:
        self._recipe = recipe
        self._device = torch.device(device)
        self._data: _ResidentData | None = None

    def train(
        self, dataset: Dataset, subsets: NDArray[np.bool_], seeds: NDArray[np.int64]
    ) -> Outcomes:
        """See :class:`~memtail_core.training.engine.Engine`."""
        try:
            if self._data is None or self._data.dataset is not dataset:
                self._data = _ResidentData(dataset, self._recipe.standardize, self._device)
            return Outcomes.stack(
                [
                    self._train_one(self._data, subset, int(seed))
                    for subset, seed in zip(subsets, seeds, strict=True)
                ]
            )
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                f"out of memory on {self._device} while training '{self._recipe.recipe}': use "
                "fewer --workers, a smaller [training] batch_size, or a smaller network"
            ) from error

    def _train_one(self, data: "_ResidentData", subset: NDArray[np.bool_], seed: int) -> Outcomes:
        start = time.perf_counter()
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):  # leaves the process's own stream alone
            torch.manual_seed(seed)
            network = self._recipe.network(data.shape, data.n_classes).to(self._device)
            network = network.to(memory_format=torch.channels_last)
            indices = torch.from_numpy(np.flatnonzero(subset)).to(self._device)
            self._fit(network, data, indices, seed)
            train_correct, train_margin = self._judge(network, data, data.x_train, data.y_train)
            test_correct, test_margin = self._judge(network, data, data.x_test, data.y_test)
        seconds = np.array([time.perf_counter() - start])
        return Outcomes(train_correct, test_correct, train_margin, test_margin, seconds)

    def _fit(self, network: nn.Module, data: "_ResidentData", indices: Tensor, seed: int) -> None:
        recipe = self._recipe
        # Another stream than the weights' own, and on the CPU: one order on every device.
        stream = int(np.random.SeedSequence(seed).generate_state(1)[0])
        order = torch.Generator().manual_seed(stream)
        optimizer = torch.optim.SGD(
            network.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
            fused=self._device.type in ("cpu", "cuda"),
        )
        sizes = batch_sizes(len(indices), recipe.batch_size)
        epochs = recipe.epochs or recipe.default_epochs
        rates = iter(learning_rates(recipe, epochs * len(sizes)))
        network.train()
        for _ in range(epochs):
            shuffled = indices[torch.randperm(len(indices), generator=order).to(self._device)]
            for batch in shuffled.split(sizes):
                optimizer.param_groups[0]["lr"] = next(rates)
                x = data.inputs(data.x_train[batch])
                x = augmented(x, recipe.flip, recipe.crop, order)
                with self._precision():
                    loss = functional.cross_entropy(
                        network(x), data.y_train[batch], label_smoothing=recipe.label_smoothing
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

    @torch.inference_mode()
    def _judge(
        self, network: nn.Module, data: "_ResidentData", x: Tensor, y: Tensor
    ) -> tuple[NDArray[np.bool_], NDArray[np.float16]]:
        """Correctness [1, n] and margin [1, n], a batch of logits at a time.

        Always in float32: logits rounded to bfloat16 tie, just where a prediction is in doubt.
        """
        network.eval()
        parts = []
        for inputs, labels in zip(
            x.split(_EVALUATION_BATCH), y.split(_EVALUATION_BATCH), strict=True
        ):
            logits = network(data.inputs(inputs))
            if not bool(logits.isfinite().all()):
                raise TrainingError(
                    f"a model of '{self._recipe.recipe}' diverged (its outputs are not finite): "
                    f"lower [training] learning_rate, now {self._recipe.learning_rate}"
                )
            parts.append(judged(logits, labels))
        correct, margin = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        return correct, margin

    def _precision(self) -> AbstractContextManager[object]:
        if self._recipe.precision == "bfloat16":
            return torch.autocast(self._device.type, dtype=torch.bfloat16)
        return nullcontext()


class _ResidentData:
    """A dataset as tensors on the device: pixels stay bytes until a batch is made of them."""

    def __init__(self, dataset: Dataset, standardize: bool, device: torch.device) -> None:
        self.dataset = dataset
        self.n_classes = len(dataset.classes)
        is_image = dataset.kind == "images"
        x_train, x_test = (torch.from_numpy(x) for x in (dataset.x_train, dataset.x_test))
        scale = 1 / 255 if is_image else 1.0
        mean, deviation = np.zeros(1), np.ones(1)
        if standardize:  # one fixed preprocessing for all trials: over the whole training set
            mean, deviation = moments(dataset.x_train)
            mean, deviation = mean * scale, np.where(deviation == 0, 1.0, deviation * scale)
        gain = (scale / deviation).astype(np.float32)
        offset = (-mean / deviation).astype(np.float32)
        view = (1, -1, 1, 1) if is_image else (1, -1)
        self._scale = torch.from_numpy(gain).view(view).to(device)
        self._offset = torch.from_numpy(offset).view(view).to(device)
        if is_image:  # [n, h, w, c] in memory, seen as [n, c, h, w]: channels last at no cost
            x_train, x_test = x_train.permute(0, 3, 1, 2), x_test.permute(0, 3, 1, 2)
        self.x_train, self.x_test = x_train.to(device), x_test.to(device)
        self.y_train = torch.from_numpy(dataset.y_train).to(device)
        self.y_test = torch.from_numpy(dataset.y_test).to(device)
        self.shape = tuple(self.x_train.shape[1:])

    def inputs(self, x: Tensor) -> Tensor:
        """Turn stored examples into the network's float32 inputs."""
        return x.float() * self._scale + self._offset


def moments(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over examples (and pixels) of each channel or column.

    A few rows at a time, so that a dataset of bytes is never held as floats; float64 [c] or [d].
    """
    axes = tuple(range(x.ndim - 1))
    count = x[..., 0].size
    chunks = [x[start : start + _MOMENTS_ROWS] for start in range(0, len(x), _MOMENTS_ROWS)]
    mean = sum(chunk.sum(axes, dtype=np.float64) for chunk in chunks) / count
    squares = sum(np.square(chunk - mean).sum(axes) for chunk in chunks)
    return np.asarray(mean), np.sqrt(squares / count)


def batch_sizes(m: int, batch_size: int) -> list[int]:
    """Cut an epoch of m examples into batches; all are used, so the last may be smaller.

    A last batch of one joins the one before it: batch normalisation cannot normalise one example.
    """
    sizes = [batch_size] * (m // batch_size) + ([m % batch_size] if m % batch_size else [])
    if len(sizes) > 1 and sizes[-1] == 1 < batch_size:
        sizes[-2:] = [batch_size + 1]
    return sizes


def learning_rates(recipe: "GradientRecipe", steps: int) -> list[float]:
    """The learning rate of every step: constant, or up to the peak in 15% and down to 0."""
    if recipe.schedule == "constant":
        return [recipe.learning_rate] * steps
    at = (np.arange(steps) + 0.5) / steps
    rates: list[float] = (recipe.learning_rate * np.interp(at, [0, 0.15, 1], [0, 1, 0])).tolist()
    return rates


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "can't allocate memory" in str(error)
    )
