"""Everything a report says, computed once from the trials: scores, pairs, accuracies, warnings."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from memtail_core import catalogue, estimation, shards, trials
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import THETA_INFL, THETA_MEM, Fit, Memorization, Pairs
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.trials import Accuracies, Damaged, Trials

_FEW_OUT = 10  # held-out trials an example needs for its score to be more than a hint


@dataclass(frozen=True)
class Thresholds:
    """The rule that selects pairs; the paper's values."""

    theta_mem: float = THETA_MEM
    theta_infl: float = THETA_INFL
    same_class: bool = True


@dataclass(frozen=True, eq=False)
class Analysis:
    """A study's trials, read."""

    study: Study
    dataset: Dataset
    trials: Trials
    goal: int
    thresholds: Thresholds
    scores: Memorization
    pairs: Pairs
    accuracies: Accuracies
    fit: Fit
    damaged: tuple[Damaged, ...] = ()

    @property
    def is_provisional(self) -> bool:
        """Whether trials are still missing."""
        return len(self.trials) < self.goal

    @property
    def n_memorized(self) -> int:
        """Examples whose estimate is at least theta_mem."""
        return self._count(self.scores.memorization)

    @property
    def n_surely_memorized(self) -> int:
        """Examples whose whole 95% interval is at least theta_mem."""
        return self._count(self.scores.ci_low)

    @property
    def n_possibly_memorized(self) -> int:
        """Examples whose 95% interval reaches theta_mem."""
        return self._count(self.scores.ci_high)

    @property
    def n_missing(self) -> int:
        """Examples without an estimate: never held in, or never held out."""
        return int(np.isnan(self.scores.memorization).sum())

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing the scores, a sentence each."""
        found = [self.fit.warning] if self.fit.warning else []
        if self.is_provisional:
            found.append(f"provisional: {len(self.trials)} of {self.goal} models are trained")
        if self.damaged:
            found.append(
                f"{len(self.damaged)} stored shards were damaged and set aside; memtail run "
                "trains them again"
            )
        if self.n_missing:
            found.append(
                f"{self.n_missing} of {self.trials.n} examples have no score: no model held them "
                "out, or none trained on them; train more (--trials)"
            )
        elif (few := int(self.scores.n_out.min())) < _FEW_OUT:
            found.append(
                f"some examples were held out by only {few} models: their scores are rough, as "
                "their intervals say; train more (--trials)"
            )
        if len({self._without_device(about) for about in self.trials.about}) > 1:
            found.append("the models were trained by different versions of the software")
        return found

    def summary(self) -> dict[str, Any]:
        """The content of ``summary.json``: plain numbers, strings, lists and dicts."""
        scores, pairs = self.scores, self.pairs
        by_test = np.unique(pairs.test_index, return_counts=True)[1]
        known = ~np.isnan(scores.memorization)
        return {
            "study": self.study.model_dump(mode="json"),
            "id": self.study.id,
            "trials": len(self.trials),
            "goal": self.goal,
            "provisional": self.is_provisional,
            "warnings": self.warnings,
            "accuracy": {
                name: {"mean": float(values.mean()), "sd": float(values.std(ddof=1))}
                if len(values) > 1
                else {"mean": float(values.mean()), "sd": None}
                for name, values in vars(self.accuracies).items()
            },
            "fit": vars(self.fit),
            "memorization": {
                "threshold": self.thresholds.theta_mem,
                "memorized": self.n_memorized,
                "surely": self.n_surely_memorized,
                "possibly": self.n_possibly_memorized,
                "missing": self.n_missing,
                "examples": self.trials.n,
                "mean": float(scores.memorization[known].mean()) if known.any() else None,
                "largest_standard_error": (
                    float(scores.standard_error[known].max()) if known.any() else None
                ),
                "held_out_trials": [int(scores.n_out.min()), int(scores.n_out.max())],
            },
            "pairs": {
                "theta_mem": self.thresholds.theta_mem,
                "theta_infl": self.thresholds.theta_infl,
                "same_class": self.thresholds.same_class,
                "pairs": len(pairs),
                "train_examples": len(np.unique(pairs.train_index)),
                "test_examples": len(by_test),
                "test_examples_in_one_pair": int((by_test == 1).sum()),
            },
            "seconds_per_model": float(self.trials.seconds.mean()),
            "trained_by": list(self.trials.about),
        }

    def _count(self, values: Any) -> int:
        with np.errstate(invalid="ignore"):
            return int((values >= self.thresholds.theta_mem).sum())

    @staticmethod
    def _without_device(about: dict[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((k, v) for k, v in about.items() if k != "device"))


def analyse(
    study: Study,
    dataset: Dataset,
    trials: Trials,
    goal: int | None = None,
    thresholds: Thresholds | None = None,
) -> Analysis:
    """Estimate memorization and find the pairs.

    Args:
        study, dataset, trials: what was trained; the trials are those stored so far.
        goal: how many were planned; fewer trials make the analysis provisional.
        thresholds: the pairs rule.

    Raises:
        EstimationError: there are no trials.
    """
    if len(trials) == 0:
        raise EstimationError(f"{study.id} has no trained model yet: start it with memtail run")
    thresholds = thresholds or Thresholds()
    scores = estimation.memorization(trials.subset, trials.train_correct, trials.n)
    pairs = estimation.pairs(
        trials.subset,
        trials.test_correct,
        scores.memorization,
        dataset.y_train,
        dataset.y_test,
        theta_mem=thresholds.theta_mem,
        theta_infl=thresholds.theta_infl,
        same_class=thresholds.same_class,
    )
    return Analysis(
        study=study,
        dataset=dataset,
        trials=trials,
        goal=goal or len(trials),
        thresholds=thresholds,
        scores=scores,
        pairs=pairs,
        accuracies=trials.accuracies(),
        fit=estimation.fit(scores),
    )


def analyse_stored(
    store: ObjectStore, study: Study, thresholds: Thresholds | None = None
) -> Analysis:
    """Analyse all that is stored of a study; damaged shards are set aside and counted.

    Raises:
        EstimationError: there are no trials.
    """
    dataset = catalogue.load_dataset(store, study)
    loaded, damaged = trials.load(store, study)
    goal = len(shards.planned(study, catalogue.goal(store, study))) * study.shard_size
    found = analyse(study, dataset, loaded, max(goal, len(loaded)), thresholds)
    return replace(found, damaged=tuple(damaged))
