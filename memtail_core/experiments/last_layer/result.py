"""How much the last layer memorizes, or a linear layer on an earlier representation."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

LAST = "last"  # the name of the last layer
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Memorizer(BaseModel):
    """What memorizes how much: whole networks, or a linear layer on one representation.

    Attributes:
        name: ``network``, or the layer.
        trained: the id of the study that trained it.
        features: inputs of the linear layer; None for whole networks.
        held_in, held_out, test: mean accuracies.
        memorized: how many examples reach each threshold of memorization.
        pairs, by_chance: high-influence pairs, and how many are expected by chance.
        pearson, spearman: correlation with the memorization of whole networks.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    trained: str
    features: int | None
    held_in: float
    held_out: float
    test: float
    memorized: list[int]
    pairs: int
    by_chance: float
    pearson: Number
    spearman: Number


class LastLayer(Result):
    """What the last layer memorizes, compared with whole networks.

    Attributes:
        examples: training examples.
        l2: the penalty on the linear layers' weights.
        whole_train, whole_test: accuracies of the one network trained on all examples.
        thresholds: of memorization.
        network: whole networks, those of the study.
        layers: linear layers on representations, from the input up; the last is the last layer.
    """

    experiment: ClassVar[str] = "last-layer"

    examples: int
    l2: float
    whole_train: float
    whole_test: float
    thresholds: list[float]
    network: Memorizer
    layers: list[Memorizer]
