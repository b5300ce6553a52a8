"""``memtail pairs --measure``: pairs by another measure than correctness."""

from typing import TYPE_CHECKING, Any

import click

from cli import formatting
from cli.progress import progress_bar

if TYPE_CHECKING:
    import pyarrow as pa

    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.analysis.pair_queries import PairQuery
    from memtail_core.estimation.measures import Measure


def refuse_others(measure: "Measure", given: dict[str, bool]) -> None:
    """Refuse options that know no other measure than correctness, by name and whether given.

    Raises:
        EstimationError: one is given, and the measure is another.
    """
    from memtail_core.errors import EstimationError
    from memtail_core.estimation.measures import CORRECTNESS

    for name, is_given in given.items():
        if is_given and measure is not CORRECTNESS:
            raise EstimationError(
                f"{name} knows no --measure {measure.name}: leave one of them out"
            )


def threshold_of(measure: "Measure", option: str, given: float | None, default: float) -> float:
    """Return the threshold that is given, or the default.

    Raises:
        click.BadParameter: no difference of the measure is as large.
    """
    if given is None:
        return default
    if abs(given) > measure.span:
        raise click.BadParameter(
            f"{given} is not in the range -{measure.span:g}<=x<={measure.span:g}.",
            param_hint=f"'{option}'",
        )
    return given


def found_by_measure(
    material: "LoadedStudy",
    question: "PairQuery",
    *,
    theta: float,
    fdr: float | None,
    harmful: bool,
    top: int | None,
    permutations: int,
    threads: int,
    most: int,
) -> tuple["pa.Table", dict[str, Any]]:
    """Return the table of pairs, and what is said of them."""
    from memtail_core.estimation.mean_influence import find, pairs_of_permuted
    from memtail_core.report import tables

    measure = material.estimator.measure
    family = question.family(material)
    evidence = material.mean_evidence
    if harmful:
        evidence = evidence.of_harm()
    testable = family.testable(evidence)
    with progress_bar("averaging", testable.n_pairs, "pairs") as count:
        found = find(
            evidence,
            testable,
            theta,
            fdr,
            threads=threads,
            most=most,
            strongest=top,
            progress=count,
        )
    pairs = found.pairs
    summary: dict[str, Any] = {
        "study": material.study.id,
        "measure": measure.name,
        "trials": len(material.trials),
        "tested": pairs.n_tested,
        "found": pairs.n_found,
        "expected_by_chance": pairs.expected_by_chance,
        "fdr": fdr,
    }
    if permutations and found.rule is not None:
        counted = pairs_of_permuted(
            evidence, family, found.rule, range(permutations), threads=threads
        )
        summary["found_with_permuted_trials"] = counted.tolist()
    listed = pairs.of_harm() if harmful else pairs
    table = tables.pairs_table(listed, material.dataset, material.scores.memorization)
    return tables.with_measure(table, measure), summary


def sentence(summary: dict[str, Any], measure: "Measure") -> str:
    """Say what was found."""
    about = formatting.about(summary["expected_by_chance"])
    return (
        f"[bold]{summary['found']:,} pairs[/] of {summary['tested']:,}, by influence on "
        f"{measure.said}; without any influence about {about} of them would be found by chance"
    )
