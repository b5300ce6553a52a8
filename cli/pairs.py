"""``memtail pairs``: which test predictions rest on which training examples, and how surely."""

from typing import TYPE_CHECKING, Any

import click

from cli import formatting
from cli import output as out
from cli.calibrated_pairs import list_calibrated, refuse
from cli.combined_pairs import list_combined
from cli.combined_pairs import refuse as refuse_combined
from cli.measured_pairs import found_by_measure, refuse_others, sentence, threshold_of
from cli.options import (
    Threshold,
    any_class_option,
    estimator_option,
    fdr_option,
    find_study,
    measure_option,
    store_option,
    study_argument,
)
from cli.pair_search import PairSearch, pair_search_options
from cli.pair_tables import Destination
from cli.published_pairs import list_published

if TYPE_CHECKING:
    from memtail_core.estimation.estimator import Estimator

_RUNS = 5
_LARGEST = 200  # difference of margins


@click.command()
@study_argument
@store_option
@click.option(
    "--class",
    "classes",
    multiple=True,
    help="Keep only training examples of this class; repeatable.",
)
@click.option(
    "--train", type=int, multiple=True, help="Keep only pairs of this training example; repeatable."
)
@click.option(
    "--test", type=int, multiple=True, help="Keep only pairs of this test example; repeatable."
)
@click.option(
    "--min-influence",
    "theta",
    type=Threshold(_LARGEST),
    help="Keep only pairs with at least this influence. [default: 0.15]",
)
@click.option(
    "--min-memorization",
    "theta_mem",
    type=Threshold(_LARGEST),
    help="Keep training examples from here on. [default: 0.25; any with --train]",
)
@estimator_option
@measure_option
@click.option(
    "--calibrated",
    "is_calibrated",
    is_flag=True,
    help="The same as --estimator calibrated.",
)
@click.option(
    "--combined",
    is_flag=True,
    help="Estimate influence from gradients and counting together.",
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    help="With --combined, read gradients of this many networks. [default: 5]",
)
@any_class_option
@fdr_option
@click.option("--top", type=click.IntRange(1), help="Keep only this many of the strongest pairs.")
@click.option(
    "--permutations",
    type=click.IntRange(0, 1000),
    default=0,
    help="Permute the trials this often, to see what chance gives.",
)
@pair_search_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def pairs(
    name: str,
    location: str,
    classes: tuple[str, ...],
    train: tuple[int, ...],
    test: tuple[int, ...],
    theta: float | None,
    theta_mem: float | None,
    estimator: "Estimator",
    measure: str | None,
    is_calibrated: bool,
    combined: bool,
    runs: int | None,
    any_class: bool,
    fdr: float | None,
    harmful: bool,
    top: int | None,
    permutations: int,
    memory: int | None,
    device: str,
    format_: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """List the training and test examples with high influence.

    Each pair of STUDY has a standard error, a 95% interval that allows for the selection of the
    pair, a p-value (how often chance gives as much influence) and a q-value (the false discovery
    rate at which the pair is significant).

    With --measure probability or margin, influence is on the mean probability or margin of the
    label, and memorization that by the same measure. The default is correctness; for language
    models it is the accuracy of next tokens, or their likelihood where the study keeps that.

    Of a large study with a report of all its models, pairs are those of the report where no option
    asks for others.

    With --calibrated, pairs are ranked by an estimate that learns from the models what counting
    does not show, which is much better with few models; the counted influence is printed beside it.

    With --combined, a few networks are trained again while being recorded (once: they are stored).
    Their gradients, corrected by what all models show, give influence on the probability of the
    right answer, with an interval, the probability of a wrong sign, and a q-value.
    """
    _check(as_json and bool(output), runs is not None and not combined)
    destination = Destination(out.format_of(output, format_, out.FORMATS), output, as_json)
    store, study = find_study(location, name)
    is_usual = (
        all(each is None for each in (theta, theta_mem, measure, fdr, top, memory))
        and not any((train, test, classes, any_class, harmful, permutations))
        and not (is_calibrated or combined or estimator.name != "counted" or device != "auto")
    )
    if is_usual and list_published(store, study, destination, _sentences):
        return
    from memtail_core.analysis.measuring import measure_of
    from memtail_core.analysis.pair_queries import PairQuery
    from memtail_core.estimation.averaged import by_measure
    from memtail_core.estimation.calibrated import CALIBRATED
    from memtail_core.estimation.counted import COUNTED
    from memtail_core.estimation.influence import counter_for, find, pairs_of_permuted
    from memtail_core.estimation.measures import CORRECTNESS
    from memtail_core.report import tables

    is_calibrated = is_calibrated or estimator is CALIBRATED
    by = measure_of(study, measure)
    refuse_others(by, {"--combined": combined, "--calibrated": is_calibrated})
    theta = threshold_of(by, "--min-influence", theta, by.theta_infl)
    memorized = threshold_of(by, "--min-memorization", theta_mem, by.theta_mem)
    if combined:
        if is_calibrated:
            raise click.UsageError("--combined or --calibrated: not both")
        refuse_combined({"--permutations": permutations > 0, "--memory": memory is not None})
        if theta_mem is None and not train:
            theta_mem = memorized
        list_combined(
            name,
            location,
            question=PairQuery(train, test, classes, not any_class, theta_mem),
            estimator=estimator,
            n_runs=runs or _RUNS,
            device=device,
            theta=theta,
            fdr=fdr,
            harmful=harmful,
            top=top,
            destination=destination,
        )
        return
    if is_calibrated:
        refuse(
            {
                "--fdr": fdr is not None,
                "--permutations": permutations > 0,
                "--harmful": harmful,
                "--any-class": any_class,
                "--memory": memory is not None,
                "--device": device != "auto",
            }
        )
        list_calibrated(
            name,
            location,
            question=PairQuery(train, test, classes),
            theta=theta,
            theta_mem=memorized,
            top=top,
            destination=destination,
        )
        return
    counter = counter_for(device)
    search = PairSearch(store, study, counter, memory)
    material = search.load(by_measure(by, COUNTED))
    if theta_mem is None and not train and material.trials.train_correct is not None:
        theta_mem = memorized
    question = PairQuery(train, test, classes, not any_class, theta_mem)
    if by is not CORRECTNESS:
        listed, said = found_by_measure(
            material,
            question,
            theta=theta,
            fdr=fdr,
            harmful=harmful,
            top=top,
            permutations=permutations,
            threads=counter.threads,
            most=search.most,
        )
        destination.take(listed, said, [sentence(said, by), *_of_permuted(said)])
        return
    family = question.family(material)
    evidence = material.evidence.of_errors() if harmful else material.evidence
    with search.at(family.testable(evidence).n_pairs) as count:
        found = find(
            evidence,
            family,
            theta,
            fdr,
            counter=counter,
            most=search.most,
            strongest=top,
            progress=count,
        )
    summary: dict[str, Any] = {
        "study": study.id,
        "trials": len(material.trials),
        "tested": found.n_tested,
        "found": found.n_found,
        "expected_by_chance": found.expected_by_chance,
        "fdr": fdr,
    }
    if permutations and found.threshold is not None:
        seeds = range(permutations)
        counted = pairs_of_permuted(evidence, family, found.threshold, seeds, counter=counter)
        summary["found_with_permuted_trials"] = counted.tolist()
    table = tables.pairs_table(
        found.of_harm() if harmful else found, material.dataset, material.scores.memorization
    )
    destination.take(table, summary, _sentences(summary))


def _check(is_printed_and_written: bool, has_runs_alone: bool) -> None:
    """Refuse options that contradict each other."""
    if is_printed_and_written:
        raise click.UsageError("--json prints; for a file say --output pairs.json alone")
    if has_runs_alone:
        raise click.UsageError("--runs goes with --combined: nothing else reads gradients")


def _sentences(summary: dict[str, Any]) -> list[str]:
    n, about = summary["found"], formatting.about(summary["expected_by_chance"])
    return [
        f"[bold]{n:,} pairs[/] of {summary['tested']:,}; without any influence about {about} of "
        "them would be found by chance",
        *_of_permuted(summary),
    ]


def _of_permuted(summary: dict[str, Any]) -> list[str]:
    if "found_with_permuted_trials" in summary:
        counted = summary["found_with_permuted_trials"]
        return [
            f"with permuted trials: {sum(counted) / len(counted):,.1f} found, on average of "
            f"{len(counted)}"
        ]
    return []
