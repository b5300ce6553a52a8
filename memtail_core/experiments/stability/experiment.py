"""``memtail stability``: its options, and what it computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Threshold
from memtail_core.experiments.stability.result import THRESHOLDS, Stability

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class StabilityOptions(Options):
    """The options of the command."""

    agreement: float = Field(
        0.9, gt=0, lt=1, description="Say how many models it takes to agree this well."
    )
    thresholds: tuple[Threshold, ...] = Field(
        THRESHOLDS, description="Thresholds of memorization; compare what reaches each."
    )
    splits: int = Field(10, ge=2, le=1000, description="Random halves of each size.")


def run(host: Host, options: StabilityOptions) -> Iterator[Stability]:
    """Measure how well two halves of the models of STUDY agree.

    The models are split into halves many times. The halves are compared on the memorized examples
    and on the high-influence pairs, and at several sizes, which tells how many models it takes to
    agree better. Trains nothing, and works on unfinished studies.
    """
    from memtail_core.analysis.halves import sizes
    from memtail_core.experiments.stability.plan import stability
    from memtail_core.plan import designs

    (subject,) = host.subjects(unfinished=True)
    n_sizes = len(sizes(subject.trials.trials, designs.block(subject.study)))
    with host.progress("comparing", n_sizes * options.splits, "comparisons") as progress:
        yield stability(
            subject.study,
            subject.trials,
            subject.dataset,
            options.agreement,
            thresholds=options.thresholds,
            splits=options.splits,
            progress=progress,
        )


def section(result: Stability, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.stability.section import section

    return section(result)


EXPERIMENT = Experiment(Stability, section, Command("stability", StabilityOptions, run))
