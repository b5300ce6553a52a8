"""``memtail values``: its options, and what it computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options
from memtail_core.experiments.values.result import Values

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class ValuesOptions(Options):
    """The options of the command."""

    outcome: Literal["accuracy", "probability", "margin"] = Field(
        "accuracy",
        description="Call examples harmful or helpful to the mean of this on the test set.",
    )
    fdr: float = Field(
        0.05, gt=0, lt=1, description="False discovery rate of harmful and helpful examples."
    )


def run(host: Host, options: ValuesOptions) -> Iterator[Values]:
    """Find the training examples that help and harm test accuracy.

    The value of an example is the test accuracy of the models of STUDY that trained on it, less
    that of the others (data Banzhaf). --output values.csv has one row per example, the least
    valuable first. Trains nothing and works on unfinished studies.
    """
    from memtail_core.experiments.values.plan import values

    (subject,) = host.subjects(margins=True, unfinished=True)
    with host.status("valuing"):
        result = values(
            subject.study, subject.trials, subject.dataset, by=options.outcome, fdr=options.fdr
        )
    yield result


def section(result: Values, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.values.section import section

    return section(result, dataset)


EXPERIMENT = Experiment(Values, section, Command("values", ValuesOptions, run, writes_table=True))
