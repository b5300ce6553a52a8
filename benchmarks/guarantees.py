"""How often memtail's error statements are wrong, over simulated trials.

    python benchmarks/guarantees.py scores         # intervals of memorization
    python benchmarks/guarantees.py nulls          # findings where nothing has any influence
    python benchmarks/guarantees.py discoveries    # false ones among all, and the power
    python benchmarks/guarantees.py intervals      # of listed pairs, how many miss
    python benchmarks/guarantees.py chance         # pairs found, and expected by chance
    python benchmarks/guarantees.py means          # the first, of outcomes that are not bits
    python benchmarks/guarantees.py mean-nulls     # the second, of outcomes that are not bits
    python benchmarks/guarantees.py labels         # intervals of the probability of a wrong label
    python benchmarks/guarantees.py audits         # bounds on ε, intervals of membership inference
    python benchmarks/guarantees.py all            # one after the other: the rows of the docs

Training examples of pairs are chosen by memorization of at least 0.25, in the trials that test
them.
``ignoring_the_choice`` is what the same pairs give if they are tested as if they had been chosen
by other trials. docs/guarantees.md has the table.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core.estimation.averaged import Averaged
from memtail_core.estimation.estimator import Observations
from memtail_core.estimation.influence import Pairs, find
from memtail_core.estimation.influence.bit_counter import BitCounter
from memtail_core.estimation.intervals import agresti_caffo, reaches
from memtail_core.estimation.mean_influence import find as find_means
from memtail_core.estimation.measures import ACCURACY
from memtail_core.estimation.thresholds import THETA_MEM
from tests.estimation.audits import coin_audits, missed_rates, pair_audits
from tests.estimation.influence.simulated import (
    NULLS,
    Measured,
    Setting,
    World,
    false_discoveries,
    share,
)
from tests.estimation.mean_influence.simulated import SHAPES, MeanSetting
from tests.estimation.simulated_labels import GROUPS, KINDS, missed
from tests.simulated_privacy import known_bounds, private_study, strict_intervals

FDR = 0.1
_COUNTER = BitCounter(1)
_EXAMPLES = 2000
_FINE = 4096  # quantiles of an outcome
_SIZES = (0.1, 0.2, 0.3, 0.4, 0.5)
_PLANTED = Setting(shared=0.6)
_DESIGNS = ("balanced", "independent")
Rows = Iterator[dict[str, Any]]


def _found(
    world: World,
    theta: float = -1.0,
    fdr: float | None = FDR,
    strongest: int | None = None,
    *,
    ignoring: bool = False,
) -> Pairs:
    """The pairs of examples that the trials call memorized."""
    evidence = replace(world.evidence, own=None) if ignoring else world.evidence
    return find(evidence, world.family, theta, fdr, counter=_COUNTER, strongest=strongest)


def scores(counts: list[int], replications: int) -> Rows:
    """The share of 95% intervals of memorization that miss, and of sure examples that are not.

    2,000 examples, accuracy held in near 1, held out anything, or nearly always right.
    """
    worlds = {"many memorized": (0.5, 0.5), "few memorized": (9.0, 0.5)}
    for name, shape in worlds.items():
        for trials in counts:
            n_in = round(0.7 * trials)
            missed: dict[str, list[float]] = {"all": [], "called memorized": [], "surely": []}
            for seed in range(replications):
                rng = np.random.default_rng(seed)
                p_in, p_out = 1 - 0.2 * rng.beta(0.3, 8, _EXAMPLES), rng.beta(*shape, _EXAMPLES)
                k_in, k_out = rng.binomial(n_in, p_in), rng.binomial(trials - n_in, p_out)
                sizes = np.array(n_in), np.array(trials - n_in)
                low, high = agresti_caffo(k_in, sizes[0], k_out, sizes[1])
                true, estimate = p_in - p_out, k_in / sizes[0] - k_out / sizes[1]
                misses = (true < low) | (high < true)
                missed["all"].append(share(misses))
                missed["called memorized"].append(share(misses[reaches(estimate, THETA_MEM)]))
                missed["surely"].append(share(true[reaches(low, THETA_MEM)] < THETA_MEM))
            for which, rates in missed.items():
                nominal = 0.025 if which == "surely" else 0.05
                what = f"scores, {name}, {which}, {trials} trials"
                yield _row(what, nominal, Measured.of(rates), replications)


def nulls(counts: list[int], replications: int) -> Rows:
    """The share of replications in which anything is significant, without any influence."""
    for name, null in NULLS.items():
        for trials in counts:
            for design in _DESIGNS:
                setting = replace(null, trials=trials, design=design)
                rate, _ = false_discoveries(setting, _found, replications)
                other, _ = false_discoveries(
                    setting, lambda world: _found(world, ignoring=True), replications
                )
                what = f"any pair significant: {name}, {trials} trials, {design}"
                yield _row(what, FDR, rate, replications) | {"ignoring_the_choice": other.mean}


def discoveries(counts: list[int], replications: int) -> Rows:
    """The false discovery rate, and the share of planted pairs that is found."""
    for trials in counts:
        for design in _DESIGNS:
            setting = replace(_PLANTED, trials=trials, design=design)
            rate, power = false_discoveries(setting, _found, replications)
            other, most = false_discoveries(
                setting, lambda world: _found(world, ignoring=True), replications
            )
            yield _row(
                f"false discovery rate, {trials} trials, {design}", FDR, rate, replications
            ) | {
                "ignoring_the_choice": other.mean,
                "power": _text(power),
                "power_ignoring_the_choice": _text(most),
            }


def intervals(counts: list[int], replications: int) -> Rows:
    """The share of the intervals of listed pairs that miss."""
    listings: dict[str, dict[str, Any]] = {
        "influence ≥ 0.15": {"theta": 0.15, "fdr": None},
        "significant": {},
        "the ten strongest": {"fdr": None, "strongest": 10},
    }
    worlds = {
        "planted influence": replace(_PLANTED, planted=_SIZES),
        "no memorization": NULLS["no memorization"],
        "hardly any memorization": NULLS["hardly any memorization"],
    }
    for kind, setting in worlds.items():
        for trials in counts:
            missed: dict[tuple[str, bool], list[float]] = {}
            for world in replace(setting, trials=trials).worlds(replications):
                for name, listing in listings.items():
                    for ignoring in (False, True):
                        pairs = _found(world, **listing, ignoring=ignoring)
                        true = world.influence[pairs.train_index, pairs.test_index]
                        misses = share((true < pairs.ci_low) | (pairs.ci_high < true))
                        missed.setdefault((name, ignoring), []).append(misses)
            for name in listings:
                rate, other = (Measured.of(missed[name, way]) for way in (False, True))
                what = f"intervals that miss: {name}, {kind}, {trials} trials"
                yield _row(what, 0.05, rate, replications) | {"ignoring_the_choice": other.mean}


def chance(counts: list[int], replications: int) -> Rows:
    """Pairs of influence ≥ 0.15 where nothing has any, as a multiple of those expected."""
    for name, null in NULLS.items():
        for trials in counts:
            found = [
                _found(world, 0.15, None)
                for world in replace(null, trials=trials).worlds(replications)
            ]
            expected = np.mean([pairs.expected_by_chance for pairs in found])
            times = Measured.of([len(pairs) / float(expected) for pairs in found])
            yield _row(
                f"found / expected by chance: {name}, {trials} trials", 1, times, replications
            )


def means(counts: list[int], replications: int) -> Rows:
    """The share of 95% intervals of memorization by a measure that miss.

    1,000 examples whose outcomes are of one shape, held out, and are nearer to 1 held in.
    """
    for name, shape in SHAPES.items():
        quantiles = shape((np.arange(_FINE) + 0.5) / _FINE)
        center, nearer = (
            each.astype(np.float16).astype(float) for each in (quantiles, 0.4 + 0.6 * quantiles)
        )
        for trials in counts:
            missed: dict[str, list[float]] = {"no memorization": [], "memorization": []}
            for seed in range(replications):
                rng = np.random.default_rng(seed)
                subset = np.arange(trials)[:, None] < np.full(1000, round(0.7 * trials))
                at = rng.integers(_FINE, size=subset.shape)
                for kind, held_in in (("no memorization", center), ("memorization", nearer)):
                    values = np.where(subset, held_in[at], center[at]).astype(np.float16)
                    packed = np.packbits(subset, axis=1)
                    seen = Observations(packed, packed, 1000, np.zeros(1000, np.int64), values)
                    found = Averaged(ACCURACY).memorization(seen)
                    true = float(held_in.mean() - center.mean())
                    missed[kind].append(share((true < found.ci_low) | (found.ci_high < true)))
            for kind, rates in missed.items():
                what = f"intervals of means, {name}, {kind}, {trials} trials"
                yield _row(what, 0.05, Measured.of(rates), replications)


def mean_nulls(counts: list[int], replications: int) -> Rows:
    """The share of replications in which any pair is significant, without any influence."""
    for shape in SHAPES:
        for raised in (0.0, 1.5):
            for trials in counts:
                any_found: dict[bool, list[float]] = {False: [], True: []}
                setting = MeanSetting(trials=trials, shape=shape, raised=raised)
                for world in setting.worlds(replications):
                    family = world.family
                    for ignoring, found in any_found.items():
                        evidence = world.evidence(ignoring=ignoring)
                        pairs = find_means(evidence, family, -1.0, FDR).pairs
                        found.append(float(len(pairs) > 0))
                kind = "memorization" if raised else "no memorization"
                what = f"any pair significant, means: {shape}, {kind}, {trials} trials"
                yield _row(what, FDR, Measured.of(any_found[False]), replications) | {
                    "ignoring_the_choice": float(np.mean(any_found[True]))
                }


def labels(counts: list[int], replications: int) -> Rows:
    """The share of intervals of the probability that a label is wrong that miss, by estimates.

    Of 2,000 examples; replications in which nothing is of a group do not count for it.
    """
    for kind, wrong in KINDS.items():
        for trials in counts:
            found = [missed(seed, wrong, trials) for seed in range(replications)]
            for group in GROUPS:
                rates = [share(each[group]) for each in found if len(each[group])]
                if len(rates) > 1:
                    what = f"intervals of wrong labels, {kind}, {group}, {trials} trials"
                    yield _row(what, 0.05, Measured.of(rates), len(rates))


def audits(counts: list[int], replications: int) -> Rows:
    """The share of bounds on ε above the true one, and of intervals of detection that miss.

    Of randomized response, of pairs of random subsets, and of whole studies whose models tell each
    membership by randomized response. Detection is that of likelihood ratios in studies of 400
    examples; the truth is its mean over the replications.
    """

    def row(what: str, wrong: NDArray[np.bool_]) -> dict[str, Any]:
        return _row(what, 0.05, Measured.of(wrong.astype(float).tolist()), len(wrong))

    for epsilon in (0.0, 1.0, 3.0):
        for delta in (0.0, 0.01):
            above = coin_audits(epsilon, 10 * replications, delta) > epsilon
            yield row(f"ε bound too high: randomized response, ε {epsilon:g}, δ {delta:g}", above)
    for epsilon in (0.0, 1.0):
        above = pair_audits(epsilon, 0.7, replications) > 2 * epsilon
        yield row(f"ε bound too high: pairs of a 70% subset, ε {2 * epsilon:g}", above)
    for spread, kind in ((0.0, "alike"), (0.01, "unlike")):
        missed = missed_rates(0.05, 20_000, 20, spread, replications)
        yield row(f"Clopper–Pearson intervals that miss: 20 models, {kind}", missed[:, 0]) | {
            "guesses_taken_as_independent": float(missed[:, 1].mean())
        }
    for trials in counts:
        for fpr, intervals in strict_intervals(trials, replications).items():
            detected, low, high = intervals.T
            missed = (detected.mean() < low) | (high < detected.mean())
            what = f"intervals of detection at {100 * fpr:g}% that miss: {trials} trials"
            yield row(what, missed) | {"detected": float(detected.mean())}
    for trials in counts:
        for design in _DESIGNS:
            for epsilon in (0.0, 1.0):
                found = known_bounds(private_study(design), epsilon, trials, replications)
                what = f"ε bound too high: studies, ε {2 * epsilon:g}, {trials} trials, {design}"
                yield row(what, found > 2 * epsilon) | {"mean_bound": float(found.mean())}


_PARTS: dict[str, Callable[[list[int], int], Rows]] = {
    "scores": scores,
    "nulls": nulls,
    "discoveries": discoveries,
    "intervals": intervals,
    "chance": chance,
    "means": means,
    "mean-nulls": mean_nulls,
    "labels": labels,
    "audits": audits,
}


@click.command()
@click.argument("part", type=click.Choice([*_PARTS, "all"]))
@click.option("--counts", default="20,40,100,300", show_default=True, help="Trials.")
@click.option("--replications", type=click.IntRange(2), default=500, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(part: str, counts: str, replications: int, as_json: bool) -> None:
    """Simulate, and count how often error statements are wrong."""
    for name, rows in _PARTS.items():
        if part in (name, "all"):
            for row in rows([int(count) for count in counts.split(",")], replications):
                show(row, as_json)


def _row(what: str, nominal: float, measured: Measured, replications: int) -> dict[str, Any]:
    return {
        "what": what,
        "nominal": nominal,
        "simulated": measured.mean,
        "standard_error": measured.error,
        "replications": replications,
    }


def _text(power: dict[float, float]) -> str:
    return ", ".join(f"{size:g}: {share:.1%}" for size, share in power.items())


if __name__ == "__main__":
    run(main)
