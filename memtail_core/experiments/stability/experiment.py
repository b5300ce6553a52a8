"""``memtail stability``: its options, and what it computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.experiments import measured
from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Threshold
from memtail_core.experiments.stability.result import THRESHOLDS, Stability

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class StabilityOptions(Options):
    """The options of the command."""

    agreement: float = Field(
        0.9, gt=0, lt=1, description="Report how many models it takes to agree this well."
    )
    thresholds: tuple[Threshold, ...] = Field(
        THRESHOLDS, description="Compare at these memorization thresholds."
    )
    splits: int = Field(10, ge=2, le=1000, description="Draw this many random halves of each size.")
    measure: str | None = measured.OPTION


def run(host: Host, options: StabilityOptions) -> Iterator[Stability]:
    """Measure how well two halves of the models agree.

    Repeatedly splits the models of STUDY into halves and compares their memorized examples and
    high-influence pairs; shows how the agreement grows with the number of models. Trains nothing
    and works on unfinished studies.

    By --measure margin or log-likelihood, thresholds are those of shares times 4 or 2, as the
    thresholds of memorization are.
    """
    from memtail_core.analysis.halves import sizes
    from memtail_core.analysis.measuring import measure_of, with_values
    from memtail_core.experiments.stability.plan import stability
    from memtail_core.plan import designs

    (subject,) = host.subjects(unfinished=True)
    measure = measure_of(subject.study, options.measure)
    trials = with_values(subject.store, subject.study, subject.trials, measure)
    n_sizes = len(sizes(trials.trials, designs.block(subject.study)))
    with host.progress("comparing", n_sizes * options.splits, "comparisons") as progress:
        yield stability(
            subject.study,
            trials,
            subject.dataset,
            options.agreement,
            measure=measure,
            thresholds=options.thresholds,
            splits=options.splits,
            progress=progress,
        )


def section(result: Stability, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.stability.section import section

    return section(result)


EXPERIMENT = Experiment(
    Stability,
    section,
    Command(
        "stability",
        StabilityOptions,
        run,
        only_counts="calibrated estimates of both halves learn from the same inputs, so that they "
        "agree on what is wrong; memtail scores --calibrated says how far each may be off",
    ),
)
