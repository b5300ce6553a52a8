"""All approximations of a study compared with its own scores."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from memtail_core.approximations.evaluation import Evaluation, evaluated, reference, reliability
from memtail_core.approximations.pair_evaluation import PairEvaluation, pairs_evaluated
from memtail_core.approximations.registry import Chosen
from memtail_core.approximations.run import TRAINING, Run
from memtail_core.data import Dataset
from memtail_core.estimation.influence import PairsRule, engine_for, find
from memtail_core.estimation.intervals import reaches
from memtail_core.running.trials import Trials

_RULE = PairsRule(fdr=0.05)


@dataclass(frozen=True)
class StudyEvaluation:
    """How good each approximation of a study is.

    Attributes:
        runs: the number of trainings that the approximations used.
        whole: whether these trained on all examples.
        seconds: the mean time of one training, without recording.
        reference: the number of the study's other trials, which give the scores to compare with.
        ceiling: the correlation of the reference with true memorization; no method can exceed it.
        memorized: the number of memorized examples, by the reference.
        methods, of_influence: the comparisons; ``of_influence`` is empty if no pair is significant.
    """

    runs: int
    whole: bool
    seconds: float | None
    reference: int
    ceiling: float | None
    memorized: int
    methods: tuple[Evaluation, ...]
    of_influence: tuple[PairEvaluation, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def evaluate(
    chosen: Chosen, dataset: Dataset, trials: Trials, runs: Sequence[Run], *, whole: bool
) -> StudyEvaluation:
    """Compare methods with the trials that no run has used.

    Args:
        chosen: the methods.
        dataset, trials: the study's.
        runs: trials 0, 1, … of the study, or trainings on all examples.
        whole: whether they are the latter.

    Raises:
        EstimationError: too few trials are left.
    """
    rest, scores = reference(trials, 0 if whole else len(runs))
    methods = [evaluated(m, dataset, runs, scores.memorization) for m in chosen.methods]
    of_influence = []
    if chosen.of_influence:
        family = _RULE.family(scores.memorization, dataset.y_train, dataset.y_test)
        engine = engine_for("cpu")
        pairs = find(rest.evidence(), family, _RULE.theta_infl, _RULE.fdr, engine=engine)
        if len(pairs):
            of_influence = [
                pairs_evaluated(m, dataset, runs, pairs.train_index, pairs.test_index)
                for m in chosen.of_influence
            ]
    noise_free = reliability(scores)
    return StudyEvaluation(
        runs=len(runs),
        whole=whole,
        seconds=float(np.mean([run.seconds[TRAINING] for run in runs])) if runs else None,
        reference=len(rest),
        ceiling=None if np.isnan(noise_free) else float(np.sqrt(noise_free)),
        memorized=int(reaches(scores.memorization, _RULE.theta_mem).sum()),
        methods=tuple(methods),
        of_influence=tuple(of_influence),
    )
