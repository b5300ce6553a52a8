"""The features that a frozen backbone gives of images: the same for every model of a study."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from memtail_core.data import Dataset, Examples, InMemory
from memtail_core.data.modalities import Feed, named
from memtail_core.errors import StudyError, TrainingError
from memtail_core.study import FINETUNE
from memtail_core.training.backbones.bodies import Inputs, pretrained_body
from memtail_core.training.backbones.families import family_of
from memtail_core.training.device import computing_on, own_randomness
from memtail_core.training.memory import reporting_out_of_memory

PART = 256  # examples of which features are stored together
_ROWS = 64  # at once; constant, because the batch size can change the last bits
_VERSION = 1  # raise it when the same options give other features


@dataclass(frozen=True)
class Extractor:
    """A frozen backbone: images in, features out.

    Attributes:
        backbone, weights, size, mean, deviation: as in :class:`.BackboneOptions`.
        source_sha256: of the user's code, if the backbone is that.
    """

    backbone: str
    weights: str
    size: int | None
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    source_sha256: str | None

    @classmethod
    def described(cls, training: Mapping[str, Any]) -> "Extractor | None":
        """The frozen backbone of a study, by its ``training`` alone: no code of a user is imported.

        None where there is none.
        """
        if training.get("recipe") != FINETUNE or training.get("frozen") is not True:
            return None
        known: dict[str, Any] = {each.name: training.get(each.name) for each in fields(cls)}
        return cls(**known)

    def digest(self, dataset: Dataset) -> str:
        """SHA-256 of all that the features of these data depend on, but for rounding."""
        what = {**asdict(self), "dataset": dataset.sha256, "version": _VERSION}
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def width(self, feed: Feed) -> int:
        """How many features there are of an image that is fed like this.

        Raises:
            StudyError: the backbone cannot take such images.
        """
        return _width(self, feed)

    def features(self, images: NDArray[np.uint8], feed: Feed, device: str) -> NDArray[np.float32]:
        """Compute the features [N, d] of images [N, h, w, c], in inference mode.

        On a CPU, one core computes: the bits do not depend on how many there are.

        Args:
            images: as a dataset keeps them. They are computed by 64: of parts of a multiple of 64,
                the features are those of the whole.
            feed: how they become a network's inputs.
            device: "cpu", "cuda", "cuda:1".

        Raises:
            TrainingError: features are not finite.
            OutOfMemoryError: there is not enough memory.
        """
        on = torch.device(device)
        advice = "or a smaller [training] size"
        with (
            reporting_out_of_memory(self.backbone, device, advice),
            computing_on(1),
            own_randomness(on),
            torch.inference_mode(),
        ):
            network = _network(self, device)
            made = [
                network((rows.to(on).float() / (feed.divisor or 1)).permute(feed.order)).cpu()
                for rows in torch.from_numpy(np.require(images, requirements="W")).split(_ROWS)
            ]
        features: NDArray[np.float32] = torch.cat(made).numpy()
        if not np.isfinite(features).all():
            raise TrainingError(f"'{self.backbone}' gives features that are not finite")
        return features

    def dataset_of(
        self, dataset: Dataset, train: NDArray[np.float32], test: NDArray[np.float32]
    ) -> Dataset:
        """The same examples and labels with features [n, d] and [n_test, d] instead of images."""
        return Dataset(
            *(InMemory(train), dataset.y_train, InMemory(test), dataset.y_test),
            *(dataset.classes, dataset.train_names, dataset.test_names),
            modality=named("features"),
        )

    def derived(self, dataset: Dataset, device: str) -> Dataset:
        """The features of a dataset: those that it comes with, or computed now."""
        digest = self.digest(dataset)
        if digest not in dataset.derived:
            every = partial(self._of, feed=dataset.feed, device=device)
            made = self.dataset_of(dataset, every(dataset.train), every(dataset.test))
            dataset.derived[digest] = made
        return dataset.derived[digest]

    def _of(self, examples: Examples, feed: Feed, device: str) -> NDArray[np.float32]:
        parts = [self.features(images, feed, device) for images in examples.chunks(PART)]
        return np.concatenate(parts)


@lru_cache(1)
def _network(extractor: Extractor, device: str) -> nn.Module:
    channels = family_of(extractor.backbone)[0].channels
    inputs = Inputs(extractor.size, channels, extractor.mean, extractor.deviation)
    network = nn.Sequential(inputs, pretrained_body(extractor.backbone, extractor.weights))
    return network.to(device).to(memory_format=torch.channels_last).eval()


@lru_cache(8)
def _width(extractor: Extractor, feed: Feed) -> int:
    on = torch.device("cpu")  # whoever asks may be building a network on paper
    with on, own_randomness(on), torch.inference_mode():
        try:
            features = _network(extractor, "cpu")(torch.zeros(1, *feed.shape))
        except Exception as error:  # each network refuses in its own way
            shape = " × ".join(map(str, feed.shape))
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise StudyError(
                f"[training] backbone = '{extractor.backbone}' cannot take images of {shape}, "
                f"which [training] size changes: {reason}"
            ) from error
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        raise StudyError(
            f"[training] backbone = '{extractor.backbone}' does not give a vector for each image"
        )
    return int(features.shape[1])
