"""``memtail privacy``: its options, and what it computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from memtail_core.experiments.experiment import Command, Experiment, Host, Options
from memtail_core.experiments.privacy.result import Privacy

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class PrivacyOptions(Options):
    """The command has no options of its own."""


def run(host: Host, options: PrivacyOptions) -> Iterator[Privacy]:
    """Attack STUDY: can one tell what its models were trained on?

    Each model is the target once, with all others as the attacker's shadow models (the
    likelihood-ratio attack of Carlini et al.). With --output exposed.csv every example becomes a
    row: how often the attack detects its membership. Trains nothing, and works on unfinished
    studies. Needs margins.
    """
    from memtail_core.experiments.privacy.plan import audit

    (subject,) = host.subjects(margins=True, unfinished=True)
    with host.progress("attacking", 2 * subject.trials.n, "attacks") as progress:
        yield audit(subject.study, subject.trials, progress)


def section(result: Privacy, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.privacy.section import section

    return section(result, dataset)


EXPERIMENT = Experiment(
    Privacy, section, Command("privacy", PrivacyOptions, run, writes_table=True)
)
