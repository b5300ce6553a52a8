"""A plain PyTorch loop: torchvision's transforms, a DataLoader, one model after another.

What a user would write: float32 on PyTorch's default number of threads, or a GPU with autocast.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Subset
from torch.utils.data import Dataset as TorchDataset

from memtail_core.data import Dataset
from memtail_core.data.moments import moments
from memtail_core.training.gradient.batches import learning_rates
from memtail_core.training.gradient.recipe import GradientRecipe

_EVALUATION_BATCH = 1000


class _Images(TorchDataset[tuple[Any, int]]):
    """As in torchvision's datasets, each access creates and transforms an image."""

    def __init__(self, x: NDArray[Any], y: NDArray[np.int64], transform: Any) -> None:
        self._x, self._y, self._transform = x, y.tolist(), transform

    def __len__(self) -> int:
        return len(self._y)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        return self._transform(Image.fromarray(self._x[i].squeeze())), self._y[i]


def train(
    dataset: Dataset, subset: NDArray[np.bool_], seed: int, recipe: GradientRecipe
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Train one model; return its correctness on the training and the test examples."""
    from torchvision import transforms  # importing it takes seconds

    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    plain = [transforms.ToTensor()]
    if recipe.standardize:
        mean, deviation = (m / 255 for m in moments(dataset.train))
        plain.append(transforms.Normalize(mean.tolist(), deviation.tolist()))
    augment = [transforms.RandomHorizontalFlip()] * recipe.flip
    if recipe.crop:
        augment.append(transforms.RandomCrop(dataset.shape[:2], padding=recipe.crop))
    augmented = transforms.Compose([*augment, *plain])
    train_set = _Images(dataset.train.whole(), dataset.y_train, augmented)
    batches = DataLoader(
        Subset(train_set, np.flatnonzero(subset).tolist()), recipe.batch_size, shuffle=True
    )
    shape = (dataset.shape[2], *dataset.shape[:2])
    network = recipe.network(shape, len(dataset.classes)).to(device)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
    rates = iter(learning_rates(recipe, recipe.n_epochs * len(batches)))
    for _ in range(recipe.n_epochs):
        for x, y in batches:
            optimizer.param_groups[0]["lr"] = next(rates)
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                loss = functional.cross_entropy(
                    network(x.to(device)), y.to(device), label_smoothing=recipe.label_smoothing
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    correct = []
    for x, y in ((dataset.train, dataset.y_train), (dataset.test, dataset.y_test)):
        examples = DataLoader(_Images(x.whole(), y, transforms.Compose(plain)), _EVALUATION_BATCH)
        with torch.no_grad():
            answers = [(network(a.to(device)).argmax(1).cpu() == b).numpy() for a, b in examples]
        correct.append(np.concatenate(answers))
    return correct[0], correct[1]
