"""``memtail compare``: its options, and what it computes."""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.errors import EstimationError
from memtail_core.experiments import measured
from memtail_core.experiments.comparison.result import Comparison
from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Subject

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class CompareOptions(Options):
    """The options of the command."""

    splits: int = Field(5, ge=1, le=1000, description="Draw this many random halves of each study.")
    measure: str | None = measured.OPTION


def run(host: Host, options: CompareOptions) -> Iterator[Comparison]:
    """Compare studies of the same data that differ in training.

    Shows, for every two studies, which memorized examples and pairs they share. To show how much of
    the difference is noise, each study is also compared with itself, one half of its models with
    the other. Trains nothing.
    """
    from memtail_core.analysis.measuring import measure_of, with_values
    from memtail_core.estimation.influence import PairsRule, counter_for
    from memtail_core.experiments.comparison.plan import compare
    from memtail_core.experiments.comparison.yardstick import Side
    from memtail_core.experiments.stability.result import INFLUENCE_THRESHOLDS, THRESHOLDS

    subjects = host.subjects()
    measure = measure_of(subjects[0].study, options.measure)
    for each in subjects:
        measure_of(each.study, measure.name)  # all must have it
    pairs = list(combinations(subjects, 2))
    for one, other in pairs:
        _check(one, other)
    for one, other in pairs:
        with host.progress("comparing", options.splits + 1, "comparisons") as progress:
            mine, theirs = (
                Side.of(s.study, with_values(s.store, s.study, s.trials, measure), measure)
                for s in (one, other)
            )
            result = compare(
                mine,
                theirs,
                one.dataset.y_train,
                one.dataset.y_test,
                PairsRule(measure.theta_mem, measure.theta_infl),
                thresholds=measure.scaled(THRESHOLDS),
                influence_thresholds=measure.scaled(INFLUENCE_THRESHOLDS),
                changes=one.study.differences(other.study),
                splits=options.splits,
                counter=counter_for("cpu"),
                progress=progress,
            )
        yield result


def _check(one: Subject, other: Subject) -> None:
    """Refuse two studies whose examples differ."""
    if one.study.id == other.study.id:
        raise EstimationError(f"{one.study.id} was named twice: name two different studies")
    if one.study.dataset.sha256 != other.study.dataset.sha256:
        datasets = (each.study.dataset for each in (one, other))
        sides = "; ".join(f"{each.source}, SHA-256 {each.sha256[:8]}…" for each in datasets)
        raise EstimationError(
            f"{one.study.id} and {other.study.id} have different data ({sides}): only studies of "
            "the same dataset can be compared"
        )


def section(result: Comparison, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.comparison.section import section

    return section(result, dataset)


EXPERIMENT = Experiment(
    Comparison,
    section,
    Command(
        "compare",
        CompareOptions,
        run,
        takes_several=True,
        only_counts="calibrated estimates of both studies learn from the same inputs, so that "
        "they agree where the studies do not, and no test of their differences is known",
    ),
)
