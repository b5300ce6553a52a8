"""How many of the pairs that many trials find are found by few: calibrated, combined, counted."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.calibrated_pairs import Candidates, pairs_of
from memtail_core.data import Dataset
from memtail_core.estimation.calibrated.mean_differences import differences
from memtail_core.estimation.combined import Discoveries
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.intervals import Z95, reaches
from memtail_core.running.trials import Trials

_MORE = 10
_STRONG = 0.1  # influence
_AT_ONCE = 20_000  # pairs

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
    influence is 0. ``combined`` are all pairs of our candidates, by gradients and counting;
    *covered* is how many of their 95% intervals hold the reference's influence, whose own
    interval is allowed for.
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
        found |= _covered(combined, others)
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


def _covered(combined: Discoveries, others: Trials) -> dict[str, float]:
    """How often intervals hold, of all pairs and of those estimated at 0.1 and more."""
    inside, correct = _bits(others)
    right = [np.zeros(len(combined)) for _ in range(2)]
    for start in range(0, len(combined), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        with_it, is_right = inside[:, combined.train[part]], correct[:, combined.test[part]]
        right[0][part] = (with_it & is_right).sum(axis=0)
        right[1][part] = (~with_it & is_right).sum(axis=0)
    n_in = inside.sum(axis=0)[combined.train]
    variance = np.zeros(len(combined))
    for k, n in zip(right, (n_in, len(inside) - n_in), strict=True):
        p = (k + 1) / (n + 2)
        variance += p * (1 - p) / (n + 2)
    truth, half = right[0] / n_in - right[1] / (len(inside) - n_in), Z95**2 * variance
    estimate = combined.influence
    down = np.sqrt((estimate - combined.ci_low) ** 2 + half)
    up = np.sqrt((combined.ci_high - estimate) ** 2 + half)
    holds = (estimate - down <= truth) & (truth <= estimate + up)
    strong = estimate >= _STRONG
    of_strong = {"covered": holds, "mean": estimate, "truth": truth}
    return {
        "combined_covered": float(holds.mean()),
        "combined_strong": float(strong.sum()),
        **{
            f"combined_{name}_strong": float(each[strong].mean()) if strong.any() else float("nan")
            for name, each in of_strong.items()
        },
    }


def _candidates(trials: Trials, dataset: Dataset, rule: PairsRule) -> Pairs:
    scores = trials.counted().memorization
    return pairs_of(rule.family(scores, dataset.y_train, dataset.y_test))


def _influence(trials: Trials, pairs: Pairs) -> Floats:
    return differences(*_bits(trials), *pairs).astype(np.float64)


def _bits(trials: Trials) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which examples each trial trained on, and which test examples it got right."""
    subset = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(np.bool_)
    correct = np.unpackbits(trials.test_correct, axis=1, count=trials.n_test).astype(np.bool_)
    return subset, correct


def _keys(pairs: Pairs, n_test: int) -> NDArray[np.int64]:
    return pairs[0] * n_test + pairs[1]
