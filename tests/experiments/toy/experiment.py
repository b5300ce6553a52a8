"""``memtail toy``: its options, and what it counts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Threshold
from tests.experiments.toy.result import Toy

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class ToyOptions(Options):
    """The options of the command."""

    at_least: tuple[Threshold, ...] = Field((0.25, 0.5), description="Count from here.")


def run(host: Host, options: ToyOptions) -> Iterator[Toy]:
    """Count the memorized examples of STUDY."""
    from memtail_core import estimation
    from memtail_core.estimation.intervals import reaches

    (subject,) = host.subjects()
    trials = subject.trials
    scores = estimation.memorization(trials.subset, trials.train_correct, trials.n).memorization
    with host.progress("counting", len(options.at_least), "thresholds") as progress:
        counts = [int(reaches(scores, at).sum()) for at in options.at_least]
        progress(len(counts))
    yield Toy(
        study=subject.study.id,
        trials=len(trials),
        thresholds=list(options.at_least),
        counts=counts,
    )


def section(result: Toy, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from tests.experiments.toy.section import section

    return section(result)


EXPERIMENT = Experiment(Toy, section, Command("toy", ToyOptions, run, writes_table=True))
