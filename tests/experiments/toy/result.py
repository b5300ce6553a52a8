"""How many training examples reach each of some thresholds of memorization."""

from typing import ClassVar

from memtail_core.experiments.results import Result


class Toy(Result):
    """The counts, one for each threshold."""

    experiment: ClassVar[str] = "toy"

    thresholds: list[float]
    counts: list[int]
