"""How many of the pairs that many trials find are found by few: calibrated, combined, counted."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.calibrated_pairs import Candidates, pairs_of
from memtail_core.data import Dataset
from memtail_core.estimation.calibrated.mean_differences import differences
from memtail_core.estimation.combined import Discoveries
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.intervals import reaches
from memtail_core.running.trials import Trials

_MORE = 10

Floats = NDArray[np.float64]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def compared(
    ours: Candidates, drawn: Trials, others: Trials, combined: Discoveries | None = None
) -> dict[str, float]:
    """Compare with the paper's pairs of all other trials, and with their influence.

    Both sides choose their candidates by the drawn trials: ours by calibrated memorization, the
    paper's by counted memorization. *found* is the share of the reference's pairs among as many
    highest-ranked candidates, *among_ten_times* among ten times as many. Correlation and error are
    over our candidates, without the noise of the reference: the true variance is the covariance of
    its two halves, the noise a quarter of their mean squared difference. A missing counted
    influence is 0. ``combined`` are all pairs of our candidates, by gradients and counting.
    """
    rule = PairsRule()
    theirs = _candidates(drawn, ours.dataset, rule)
    wanted_among = _candidates(others, ours.dataset, rule)
    is_wanted = reaches(_influence(others, wanted_among), rule.theta_infl)
    wanted = _keys(wanted_among, others.n_test)[is_wanted]
    k = len(wanted)
    found = {"reference_pairs": float(k), "candidates": float(len(ours.train))}
    candidates = ours.train, ours.test
    plain = np.nan_to_num(ours.found.unbiased)
    rankings: list[tuple[str, Pairs, Floats]] = [
        ("our", candidates, ours.found.influence),
        ("our_prediction", candidates, ours.found.prediction),
        ("their", theirs, np.nan_to_num(_influence(drawn, theirs))),
        ("their_of_our_candidates", candidates, plain),
    ]
    if combined is not None:
        rankings.append(("combined", (combined.train, combined.test), combined.influence))
    for whose, pairs, estimate in rankings:
        order = np.argsort(-estimate, kind="stable")
        keys = _keys(pairs, others.n_test)
        for name, many in (("found", k), ("among_ten_times", _MORE * k)):
            is_found = np.isin(wanted, keys[order[:many]])
            found[f"{whose}_{name}"] = float(is_found.mean()) if k else float("nan")
    truth = _influence(others, candidates)
    rows = np.arange(len(others))
    one, other = (_influence(others.taken(rows[h::2]), candidates) for h in (0, 1))
    known = np.isfinite(truth) & np.isfinite(one) & np.isfinite(other)
    real = float(np.cov(one[known], other[known])[0, 1]) if known.sum() > 1 else 0.0
    noise = float(((one - other)[known] ** 2).mean()) / 4
    for whose, estimate in (("our", ours.found.influence), ("their", plain)):
        e, t = estimate[known], truth[known]
        scale = float(np.sqrt(max(e.var() * real, 0.0)))
        found[f"{whose}_pearson"] = float(np.cov(e, t)[0, 1]) / scale if scale else float("nan")
        found[f"{whose}_rmse"] = float(np.sqrt(max(0.0, ((e - t) ** 2).mean() - noise)))
        found[f"{whose}_listed"] = float(reaches(estimate, rule.theta_infl).sum())
    return found


def _candidates(trials: Trials, dataset: Dataset, rule: PairsRule) -> Pairs:
    scores = trials.counted().memorization
    return pairs_of(rule.family(scores, dataset.y_train, dataset.y_test))


def _influence(trials: Trials, pairs: Pairs) -> Floats:
    inside, correct = (
        np.unpackbits(bits, axis=1, count=n).astype(np.bool_)
        for bits, n in ((trials.subset, trials.n), (trials.test_correct, trials.n_test))
    )
    return differences(inside, correct, *pairs).astype(np.float64)


def _keys(pairs: Pairs, n_test: int) -> NDArray[np.int64]:
    return pairs[0] * n_test + pairs[1]
