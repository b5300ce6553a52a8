"""What a language model memorizes: planted copies, variants and canaries, found or not.

    python benchmarks/language_data.py extracted documents.jsonl documents-test.jsonl
    memtail run docs/results/fortunes-gpt.toml
    python benchmarks/language.py fortunes-gpt documents.jsonl documents-test.jsonl

See ``benchmarks/language_data.py`` for the documents. AUROC says how well a score tells planted
documents from the natural ones. Pairs are tested between all training and all test documents, at a
false discovery rate of 5%; a pair is planted if the test document is a variant of the training
document. As a check, the same is done with the trials' subsets permuted: whatever is found then is
false.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run
from benchmarks.text import auroc
from memtail_core import catalogue, open_store
from memtail_core.analysis import Analysis, analyse
from memtail_core.data import Dataset, near_duplicates
from memtail_core.estimation.influence import PairsRule
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.study import Study

_FDR = 0.05
_ANY = PairsRule(theta_mem=-1.0, theta_infl=0.0, fdr=_FDR)


@click.command()
@click.argument("study")
@click.argument("train", type=click.Path(exists=True, dir_okay=False))
@click.argument("test", type=click.Path(exists=True, dir_okay=False))
@click.option("--store", default="runs", show_default=True)
@click.option("--permutations", default=5, show_default=True, help="Of the trials.")
def main(study: str, train: str, test: str, store: str, permutations: int) -> None:
    """Judge STUDY, whose documents are TRAIN.jsonl and TEST.jsonl."""
    opened = open_store(store)
    found = catalogue.find(opened, study)
    trials, _ = loading.load(opened, found, values=True)
    dataset = catalogue.load_dataset(opened, found)
    rows, tests = (
        [*map(from_json, Path(each).read_bytes().splitlines())] for each in (train, test)
    )
    analysis = analyse(found, dataset, trials, rule=_ANY)
    print(f"{len(trials)} models, {trials.seconds.mean():.1f} s each")
    _print_accuracies(trials)
    kinds = np.array([_kind(row) for row in rows])
    _print_kinds(analysis, kinds)
    _print_pairs(analysis, rows, tests)
    _print_permuted(found, dataset, trials, permutations)


def _kind(row: dict[str, Any]) -> str:
    return f"{row['copies']} copies" if row["kind"] == "copy" else str(row["kind"])


def _print_accuracies(trials: Trials) -> None:
    inside = np.unpackbits(trials.subset, axis=1, count=trials.n) == 1
    right = trials.train_correct
    assert right is not None
    assert trials.train_values is not None
    assert trials.test_values is not None
    bits = np.unpackbits(right, axis=1, count=trials.n)
    values = trials.train_values.astype(np.float64)
    for name, mask in (("held in", inside), ("held out", ~inside)):
        print(f"{name}: {values[mask].mean():.1%} of next tokens, {bits[mask].mean():.2%} whole")
    test = trials.test_values.astype(np.float64).mean()
    print(f"test: {test:.1%} of next tokens")


def _print_kinds(analysis: Analysis, kinds: NDArray[np.str_]) -> None:
    """Memorization and held-out accuracy of each kind, and how well they tell it from natural."""
    scores = analysis.scores
    known = ~np.isnan(scores.memorization)
    surely = scores.ci_low > 0
    print(f"memorization > 0 with the whole 95% interval: {surely[known].mean():.1%} of documents")
    widths = (scores.ci_high - scores.ci_low)[known]
    print(f"median width of an interval: {np.median(widths):.3f}")
    for kind in ("natural", "2 copies", "4 copies", "8 copies", "canary"):
        of = known & (kinds == kind)
        mem, out = scores.memorization[of], scores.accuracy_out[of]
        line = (
            f"{kind} ({of.sum():,}): memorization {mem.mean():.3f} (sd {mem.std():.3f}), "
            f"in {scores.accuracy_in[of].mean():.1%}, out {out.mean():.1%}"
        )
        if kind != "natural":
            either = of | (known & (kinds == "natural"))
            for name, score in (
                ("memorization", scores.memorization),
                ("held-out accuracy", scores.accuracy_out),
            ):
                low, value, high = auroc(score[either], of[either])
                line += f"; AUROC of {name} {value:.3f} ({low:.3f} to {high:.3f})"
        print(line)


def _print_pairs(
    analysis: Analysis, rows: list[dict[str, Any]], tests: list[dict[str, Any]]
) -> None:
    """How many planted pairs are found, by the copies in the training set, and what else is."""
    group, of_test = (np.array([row["group"] for row in each]) for each in (rows, tests))
    copies = np.array([row["copies"] for row in rows])
    pairs, dataset = analysis.pairs, analysis.dataset
    planted = (group[pairs.train_index] == of_test[pairs.test_index]) & (
        group[pairs.train_index] >= 0
    )
    print(
        f"pairs: {len(pairs):,} of {pairs.n_tested:,} significant at a false discovery rate of "
        f"{_FDR:.0%}, {planted.sum():,} of them planted"
    )
    there = {
        times: [(g, times) for g in group[copies == times] if g >= 0] for times in (1, 2, 4, 8)
    }
    for times, every in there.items():
        hit = planted & (copies[pairs.train_index] == times)
        strength = pairs.influence[hit].mean() if hit.any() else np.nan
        print(
            f"  {times} in the training set: {hit.sum():,} of {len(every):,} planted pairs found, "
            f"influence {strength:.3f}"
        )
    nearest = near_duplicates.in_test_set(dataset)
    is_near = nearest.is_duplicate[pairs.train_index] & (
        nearest.partner[pairs.train_index] == pairs.test_index
    )
    others = ~planted
    print(
        f"  not planted: {others.sum():,}, {(others & is_near).sum():,} of them near-duplicates by "
        "their tokens"
    )
    for p in np.flatnonzero(others & ~is_near).tolist():
        train, test = rows[pairs.train_index[p]]["text"], tests[pairs.test_index[p]]["text"]
        print(f"  {pairs.influence[p]:.3f} {train} -> {test}")


def _print_permuted(study: Study, dataset: Dataset, trials: Trials, permutations: int) -> None:
    """How many pairs are significant where there is nothing to find."""
    counts = []
    for seed in range(permutations):
        order = np.random.default_rng(seed).permutation(len(trials))
        shuffled = replace(trials, subset=trials.subset[order])
        counts.append(len(analyse(study, dataset, shuffled, rule=_ANY).pairs))
    print(f"significant pairs with permuted trials: {counts}")


if __name__ == "__main__":
    run(main)
