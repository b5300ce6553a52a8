"""What to remove, and what test accuracy loses by it (the examples' marginal utility).

For each of several thresholds, networks are trained without the training examples whose
memorization reaches it, and others without as many random ones (Feldman & Zhang 2020, section 3.2,
figure 2). One more set is the training examples of the high-influence pairs (section 3.3).

One half of the study's trials chooses the examples to remove, and the other half the test examples
in high-influence pairs. The networks that are compared are new. So the noise that made an example
look memorized has no part in the comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.halves import two_halves
from memtail_core.analysis.observations import estimate, observations
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Estimator
from memtail_core.estimation.influence import PairsRule, counter_for, find
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.paired import holm, p_of_none, paired_difference
from memtail_core.experiments.removal.result import THRESHOLDS, Accuracy, Removal, Removed
from memtail_core.plan.arms import Arms
from memtail_core.running.trials import Trials
from memtail_core.study import ArmsTable, Study

_FEWEST_LEFT = 0.1  # of a class: with less, networks miss the class and not its examples


@dataclass(frozen=True, eq=False)
class Cut:
    """A set of training examples to remove; ``threshold`` is None for those of the pairs."""

    threshold: float | None
    chosen: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to train.

    Attributes:
        study: the study that trains the arms.
        arms: nothing removed; then for each cut its examples, and as many random ones.
        cuts: what is removed, the largest first.
        dropped: thresholds that select nothing, the same as another, or too much.
        duplicates: bool [n], training examples left out of every arm, if the user asks for it.
        test_in_pairs: bool [n_test], in a high-influence pair according to the other half.
        n_trials: how many trials of the source were used.
        estimator: of memorization.
    """

    study: Study
    arms: Arms
    cuts: tuple[Cut, ...]
    dropped: tuple[float, ...]
    duplicates: NDArray[np.bool_] | None
    test_in_pairs: NDArray[np.bool_]
    n_trials: int
    estimator: Estimator = COUNTED


def plan(
    source: Study,
    trials: Trials,
    dataset: Dataset,
    thresholds: Sequence[float] = THRESHOLDS,
    rule: PairsRule | None = None,
    duplicates: NDArray[np.bool_] | None = None,
    estimator: Estimator = COUNTED,
) -> Plan:
    """Choose what to remove, by one half of a study's trials.

    Args:
        source, trials, dataset: the study, all its trials and its data.
        thresholds: of memorization. Those that select nothing, or the same as another, or nearly
            all examples of a class, are left out.
        rule: which pairs are of high influence; by default those of the paper's rule that are
            significant at a false discovery rate of 5%.
        duplicates: bool [n], training examples to leave out everywhere; None: none.
        estimator: estimates memorization, in each half by itself.

    Raises:
        EstimationError: too few trials, or nothing to remove.
    """
    rule = rule or PairsRule(fdr=0.05)
    choosing, judging = two_halves(source, trials)
    scores = estimate(source, observations(choosing, dataset), estimator).memorization
    left_out = np.zeros(trials.n, bool) if duplicates is None else duplicates
    cuts = [Cut(None, _in_pairs(choosing, dataset, rule, scores)[0])]
    cuts += [Cut(t, np.flatnonzero(reaches(scores, t))) for t in thresholds]
    cuts = [Cut(cut.threshold, cut.chosen[~left_out[cut.chosen]]) for cut in cuts]
    cuts = _worth_trying(cuts, dataset, left_out)
    if not cuts:
        raise EstimationError(
            f"no threshold selects examples to remove and leaves {_FEWEST_LEFT:.0%} of every "
            f"class: memorization goes up to {np.nanmax(scores):.2f} (by half of the "
            "models); choose other --thresholds"
        )
    arms = _arms(cuts, left_out)
    study = source.model_copy(
        update={
            "name": f"{source.name[:32]}-removal",
            "shard_size": 1,  # arms differ in size, so nothing is gained by training them together
            "margins": False,
            "probabilities": False,
            "subsets": ArmsTable(count=len(arms), sha256=arms.sha256),
        }
    )
    test_in_pairs = np.zeros(trials.n_test, bool)
    judged = estimate(source, observations(judging, dataset), estimator).memorization
    test_in_pairs[_in_pairs(judging, dataset, rule, judged)[1]] = True
    dropped = sorted(set(thresholds) - {cut.threshold for cut in cuts})
    return Plan(
        study=study,
        arms=arms,
        cuts=tuple(cuts),
        dropped=tuple(dropped),
        duplicates=duplicates,
        test_in_pairs=test_in_pairs,
        n_trials=len(trials),
        estimator=estimator,
    )


def analyse(source: Study, planned: Plan, trained: Trials) -> Removal:
    """Compare the arms, repeat by repeat.

    Args:
        source: the study it belongs to.
        planned: what :func:`plan` chose.
        trained: the trials of its study, from the first on; an incomplete repeat is left out.

    Raises:
        EstimationError: there are fewer than two repeats.
    """
    n_arms = len(planned.arms)
    repeats = len(trained) // n_arms
    used = np.arange(repeats * n_arms)
    if repeats < 2 or (trained.trials[used] != used).any():
        raise EstimationError("removal compares at least 2 --repeats: run it again")
    trained = trained.taken(used)
    correct = np.unpackbits(trained.test_correct, axis=1, count=trained.n_test)
    correct = correct.reshape(repeats, n_arms, -1)
    test = correct.mean(axis=2)
    in_pairs = correct[:, :, planned.test_in_pairs].sum(axis=2) / trained.n_test
    held_in = trained.accuracies().held_in.reshape(repeats, n_arms)
    step = 1 / trained.n_test
    n_left = int((~planned.arms.left_out[0]).sum())

    def accuracy(arm: int) -> Accuracy:
        each = test[:, arm]
        return Accuracy(
            mean=float(each.mean()),
            sd=float(each.std(ddof=1)),
            each=each.tolist(),
            held_in=float(held_in[:, arm].mean()),
        )

    def removed(k: int, p_value: float) -> Removed:
        cut, of, control = planned.cuts[k], 1 + 2 * k, 2 + 2 * k
        drop, paired_drop = test[:, 0] - test[:, of], in_pairs[:, 0] - in_pairs[:, of]
        return Removed(
            threshold=cut.threshold,
            removed=len(cut.chosen),
            left=(n_left - len(cut.chosen)) / trained.n,
            memorized=accuracy(of),
            random=accuracy(control),
            drop=paired_difference(drop, step),
            random_drop=paired_difference(test[:, 0] - test[:, control], step),
            difference=paired_difference(test[:, control] - test[:, of], step),
            p_value=p_value,
            drop_in_pairs=paired_difference(paired_drop, step),
            drop_elsewhere=paired_difference(drop - paired_drop, step),
        )

    gaps = [test[:, 2 + 2 * k] - test[:, 1 + 2 * k] for k in range(len(planned.cuts))]
    p_values = holm([p_of_none(gap, step) for gap in gaps])
    left_out = planned.duplicates
    return Removal(
        study=source.id,
        trials=planned.n_trials,
        trained=planned.study.id,
        repeats=repeats,
        examples=trained.n,
        deduplicated=None if left_out is None else int(left_out.sum()),
        test_in_pairs=int(planned.test_in_pairs.sum()),
        tested=trained.n_test,
        whole=accuracy(0),
        cuts=[removed(k, p) for k, p in enumerate(p_values)],
        dropped=list(planned.dropped),
        estimator=planned.estimator.name,
    )


def _in_pairs(
    trials: Trials, dataset: Dataset, rule: PairsRule, memorization: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the training and the test examples of the high-influence pairs, ascending."""
    family = rule.family(memorization, dataset.y_train, dataset.y_test)
    pairs = find(trials.evidence(), family, rule.theta_infl, rule.fdr, counter=counter_for("cpu"))
    return np.unique(pairs.train_index), np.unique(pairs.test_index)


def _worth_trying(cuts: list[Cut], dataset: Dataset, left_out: NDArray[np.bool_]) -> list[Cut]:
    """Drop empty cuts, those that equal another, and those that leave too little of a class."""
    sizes = np.bincount(dataset.y_train[~left_out], minlength=len(dataset.classes))
    kept: dict[bytes, Cut] = {}
    for cut in sorted(cuts, key=lambda cut: -len(cut.chosen)):
        taken = np.bincount(dataset.y_train[cut.chosen], minlength=len(sizes))
        if len(cut.chosen) and (sizes - taken >= _FEWEST_LEFT * sizes).all():
            kept.setdefault(cut.chosen.tobytes(), cut)
    return list(kept.values())


def _arms(cuts: list[Cut], left_out: NDArray[np.bool_]) -> Arms:
    rows = np.tile(left_out, (1 + 2 * len(cuts), 1))
    at_random = np.zeros(len(rows), np.int64)
    for k, cut in enumerate(cuts):
        rows[1 + 2 * k, cut.chosen] = True
        at_random[2 + 2 * k] = len(cut.chosen)
    return Arms(rows, at_random)
