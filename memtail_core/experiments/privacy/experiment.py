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
    """Find examples whose membership an attacker can infer.

    Attacks each model of STUDY with all others as shadow models (the likelihood-ratio attack of
    Carlini et al.). --output exposed.csv has one row per example: how well an attacker recognizes
    it as a training example. Trains nothing and works on unfinished studies; it needs margins.
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
