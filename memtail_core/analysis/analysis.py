"""Everything a report says, computed once from the trials: scores, pairs, accuracies, warnings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core import estimation
from memtail_core.analysis.found_pairs import SIGNIFICANT, found_pairs
from memtail_core.analysis.measuring import estimator_of
from memtail_core.analysis.observations import estimate, observations
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import Fit, Memorization
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import UNKNOWN, Estimator
from memtail_core.estimation.fit import mean_fit
from memtail_core.estimation.influence import Pairs, PairsRule
from memtail_core.estimation.measures import CORRECTNESS, OF_TOKENS, Measure
from memtail_core.plan import shards
from memtail_core.running.loading import Damaged
from memtail_core.running.trials import Accuracies, Trials
from memtail_core.study import Study

_MUCH_CHANCE = 0.1  # of the pairs
_FEW_OUT = 10  # held-out trials an example needs for its score to be more than a hint


@dataclass(frozen=True, eq=False)
class Analysis:
    """A study's trials, read.

    ``tally``, int64 [bins]: how many of the pairs that were looked at, the ``rule``'s family, have
    an influence in each of equal bins over [−1, 1]; see :class:`.survey.PairStatistics`.
    """

    study: Study
    dataset: Dataset
    trials: Trials
    goal: int
    rule: PairsRule
    scores: Memorization
    pairs: Pairs
    accuracies: Accuracies
    fit: Fit
    significant_pairs: int
    permuted_pairs: float | None
    tally: NDArray[np.int64]
    damaged: tuple[Damaged, ...] = ()
    widened: int = 0
    estimator: Estimator = COUNTED

    @property
    def is_provisional(self) -> bool:
        """Whether trials are still missing."""
        return len(self.trials) < self.goal

    @property
    def measure(self) -> Measure:
        """What memorization and influence are differences of."""
        return self.estimator.measure

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
    def n_scored(self) -> int:
        """Examples with an estimate."""
        return self.trials.n - int(np.isnan(self.scores.memorization).sum())

    @property
    def n_missing(self) -> int:
        """Candidates without an estimate: never held in, or never held out."""
        return int(np.isnan(self.scores.memorization[self.study.candidates]).sum())

    @property
    def held_out_trials(self) -> tuple[int, int]:
        """The fewest and the most trials that held out a candidate."""
        n_out = self.scores.n_out[self.study.candidates]
        return int(n_out.min()), int(n_out.max())

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing the scores, a sentence each."""
        found = [self.fit.warning] if self.fit.warning else []
        imported = self.study.is_imported
        more = "" if imported else "; train more (--trials)"
        if self.is_provisional:
            found.append(f"provisional: {len(self.trials)} of {self.goal} models are trained")
        if self.damaged:
            found.append(
                f"{len(self.damaged)} stored shards are damaged and were left out; "
                + ("import them again" if imported else "memtail run trains them again")
            )
        if self.widened:
            found.append(
                f"{self.widened} of the examples alone decided when to stop (--until): their "
                "intervals are widened for it"
            )
        if self.trials.train_correct is None:
            found.append(UNKNOWN)
        elif self.n_missing:
            found.append(
                f"{self.n_missing} of {len(self.study.candidates)} examples have no score: no "
                f"model held them out, or none trained on them{more}"
            )
        elif (few := self.held_out_trials[0]) < _FEW_OUT:
            found.append(
                f"some examples were held out by only {few} models: their scores are rough, as "
                f"their intervals say{more}"
            )
        share = self.trials.rates
        if (share < 1).any():
            rate = self.study.training.get("learning_rate", 0.0)
            found.append(
                f"{int((share < 1).sum()):,} of {len(share):,} models diverged at the default "
                f"learning rate of {rate:g} and were trained again at a lower one, down to "
                f"{rate * share.min():g}; set [training] learning_rate to train all alike"
            )
        chance = min(self.pairs.expected_by_chance, len(self.pairs))
        if chance >= max(0.5, _MUCH_CHANCE * len(self.pairs)) and len(self.pairs):
            found.append(
                f"about {chance:,.0f} of the {len(self.pairs):,} high-influence pairs are expected "
                f"by chance with so few models{more}"
            )
        if not self.trials.n_test:
            found.append("the imported models have no test outcomes: nothing is known of influence")
        if any(_differ(about, self.trials.about[0]) for about in self.trials.about):
            found.append("the models were trained by different machines or versions of software")
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
                name: {"mean": _known(values.mean()), "sd": _known(values.std(ddof=1))}
                if len(values) > 1
                else {"mean": _known(values.mean()), "sd": None}
                for name, values in vars(self.accuracies).items()
            },
            "fit": vars(self.fit),
            "memorization": {
                "estimator": self.estimator.name,
                **({} if self.measure is CORRECTNESS else {"measure": self.measure.name}),
                "threshold": self.rule.theta_mem,
                "memorized": self.n_memorized,
                "surely": self.n_surely_memorized,
                "possibly": self.n_possibly_memorized,
                "missing": self.n_missing,
                "scored": self.n_scored,
                "examples": self.trials.n,
                "candidates": len(self.study.candidates),
                "mean": float(scores.memorization[known].mean()) if known.any() else None,
                "largest_standard_error": (
                    float(scores.standard_error[known].max()) if known.any() else None
                ),
                "held_out_trials": list(self.held_out_trials),
            },
            "pairs": {
                "theta_mem": self.rule.theta_mem,
                "theta_infl": self.rule.theta_infl,
                "same_class": self.rule.same_class,
                "fdr": self.rule.fdr,
                "pairs": len(pairs),
                "tested": pairs.n_tested,
                "expected_by_chance": pairs.expected_by_chance,
                "found_with_permuted_trials": self.permuted_pairs,
                "significant": self.significant_pairs,
                "significant_at_fdr": SIGNIFICANT,
                "train_examples": len(np.unique(pairs.train_index)),
                "test_examples": len(by_test),
                "test_examples_in_one_pair": int((by_test == 1).sum()),
            },
            "seconds_per_model": self.trials.seconds_per_trial,
            "trained_by": list(self.trials.about),
        }

    def _count(self, values: Any) -> int:
        return int(self.rule.is_memorized(values).sum())


def analyse(
    study: Study,
    dataset: Dataset,
    trials: Trials,
    goal: int = 0,
    rule: PairsRule | None = None,
    estimator: Estimator | None = None,
) -> Analysis:
    """Estimate memorization and find the pairs.

    Args:
        study, dataset, trials: what was trained; the trials are those stored so far, with their
            values if the estimator needs them.
        goal: how many are wanted; fewer trials (in whole shards) make the analysis provisional.
        rule: which pairs to look for; None: from the measure's thresholds on.
        estimator: what estimates memorization; influence is of its measure. None: that of the
            study's default measure, counting for classifiers.

    Raises:
        EstimationError: there are no trials, or they are an experiment's.
    """
    refuse_experiments(study)
    if len(trials) == 0:
        raise EstimationError(f"{study.id} has no trained model yet: start it with memtail run")
    estimator = estimator or estimator_of(study)
    measure = estimator.measure
    rule = rule or PairsRule(measure.theta_mem, measure.theta_infl)
    seen = observations(trials, dataset)
    scores = estimate(study, seen, estimator)
    family = rule.family(scores.memorization, dataset.y_train, dataset.y_test)
    of_pairs = found_pairs(trials, family, rule, measure)
    return Analysis(
        study=study,
        dataset=dataset,
        trials=trials,
        goal=max(len(trials), len(shards.planned(study, goal)) * study.shard_size),
        rule=rule,
        scores=scores,
        pairs=of_pairs.pairs,
        accuracies=trials.accuracies(),
        fit=mean_fit(scores) if measure in OF_TOKENS else estimation.fit(seen.counted),
        significant_pairs=of_pairs.n_significant,
        permuted_pairs=of_pairs.n_permuted,
        tally=of_pairs.tally,
        estimator=estimator,
    )


def refuse_experiments(study: Study) -> None:
    """Raise EstimationError for a study whose trials leave examples out on purpose."""
    if study.is_experiment:
        raise EstimationError(
            f"{study.id} has no scores: an experiment trained it, leaving examples out on purpose; "
            "what came of it is in the report of the study it belongs to"
        )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _differ(about: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell provenances apart; how an counter was tuned changes a model's rounding alone."""
    tuning = {"stack": None, "precision": None}
    return about | tuning != other | tuning
