"""What is trained to judge: some subsets again, and all examples but the highest-scored."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.crossed import crossed_mean
from memtail_core.experiments.judge.reading import Reading
from memtail_core.experiments.judge.result import Loss
from memtail_core.plan.arms import Arms
from memtail_core.running.matrices import CORRECTNESS, outcomes
from memtail_core.running.trials import Trials
from memtail_core.study import ArmsTable, Study

Floats = NDArray[np.float64]


def ceiling_study(
    source: Study, judging: Trials, count: int
) -> tuple[Study, Arms, NDArray[np.int64]]:
    """Return the study that trains on ``count`` judging subsets again, its arms, and their rows."""
    rows = np.unique(np.linspace(0, len(judging) - 1, count).round().astype(np.int64))
    inside = np.unpackbits(judging.subset[rows], axis=1, count=judging.n).astype(bool)
    arms = Arms(~inside, np.zeros(len(rows), np.int64))
    study = source.model_copy(
        update={
            "name": f"{source.name[:32].rstrip('-')}-ceiling",
            "shard_size": min(source.shard_size, len(rows)),
            "probabilities": False,
            "subsets": ArmsTable(design="unpaired-arms", count=len(arms), sha256=arms.sha256),
        }
    )
    return study, arms, rows


@dataclass(frozen=True, eq=False)
class Removal:
    """What is trained to know the cost of removing the highest scores of one attribution.

    All arms leave out equally many: one as many at random, then one for each test example.

    Attributes:
        reading: of the attribution.
        removed: k, how many each arm leaves out.
        study, arms: what is trained.
    """

    reading: Reading
    removed: int
    study: Study
    arms: Arms

    def losses(self, trained: Trials, tests: NDArray[np.int64], outcome: str) -> Floats:
        """Return what each test example loses beyond random removal, float64 [R, tests].

        Both networks of a difference start from the same weights.

        Args:
            trained: the first trials of the study, R for each arm.
            tests: int64, the test examples.
            outcome: what a loss is of.
        """
        of_tests = outcomes(trained, outcome)[:, tests].astype(np.float64)
        by_arm = of_tests.reshape(-1, len(self.arms), len(tests))
        without = by_arm[:, np.arange(1, len(self.arms)), np.arange(len(tests))]
        return np.asarray(by_arm[:, 0] - without)


def removals(
    source: Study, readings: Sequence[Reading], columns: NDArray[np.int64], removed: Sequence[int]
) -> list[Removal]:
    """Plan the removal of the k highest scores of some test examples, for each k.

    A study for each attribution and k, so that a further one trains nothing anew.

    Args:
        source: the study whose recipe trains.
        readings: the attributions, with their highest scores.
        columns: int64, those of the test examples in ``highest``.
        removed: each k.
    """
    planned = []
    for reading in readings:
        for k in removed:
            arms = _arms(reading.highest[:k, columns], source.dataset.n_train)
            study = source.model_copy(
                update={
                    "name": _name(source.name, reading.scores.name, k),
                    "shard_size": _shard_size(len(arms), source.shard_size),
                    "probabilities": False,
                    "subsets": ArmsTable(count=len(arms), sha256=arms.sha256),
                }
            )
            planned.append(Removal(reading, k, study, arms))
    return planned


def _name(source: str, scores: str, k: int) -> str:
    """``digits-counted-margins-top-10``, of at most 40 characters."""
    slug = re.sub("[^a-z0-9]+", "-", scores.lower()).strip("-")
    end = f"-top-{k}"
    return "-".join([source[:14].rstrip("-"), slug])[: 40 - len(end)].rstrip("-") + end


def _shard_size(arms: int, most: int) -> int:
    """Return a size by which repeats are whole shards, so that no model is trained for nothing.

    If only small sizes do that, it is ``most``: models that train together are fast.
    """
    size = max(each for each in range(1, min(arms, most) + 1) if arms % each == 0)
    return size if 2 * size >= min(arms, most) else most


def costs(
    removals: Sequence[Removal], losses: Sequence[Floats], outcome: str
) -> list[tuple[Removal, Loss]]:
    """Say what each removal costs, and how much more the one of as many that costs most.

    Args:
        removals, losses: of all attributions, as :meth:`Removal.losses` returns them.
        outcome: what the losses are of.
    """
    step = 1.0 if outcome == CORRECTNESS else 0.0
    made = []
    for own, loss in zip(removals, losses, strict=True):
        others = [x for r, x in zip(removals, losses, strict=True) if r.removed == own.removed]
        highest = max(others, key=lambda each: float(each.mean()))
        mean, lead = crossed_mean(loss, step), crossed_mean(highest - loss, step)
        found = Loss(
            removed=own.removed,
            loss=mean.value,
            low=mean.low,
            high=mean.high,
            behind=None if highest is loss else lead.value,
            behind_low=None if highest is loss else lead.low,
            behind_high=None if highest is loss else lead.high,
        )
        made.append((own, found))
    return made


def _arms(highest: NDArray[np.int64], n: int) -> Arms:
    """Return the arms of the k highest, int64 [k, tests], of n training examples."""
    k, tests = highest.shape
    left_out = np.zeros((1 + tests, n), bool)
    left_out[np.arange(1, 1 + tests), highest] = True
    at_random = np.zeros(1 + tests, np.int64)
    at_random[0] = k
    return Arms(left_out, at_random)
