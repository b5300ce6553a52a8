"""``memtail privacy``: its options, and what it computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from memtail_core.estimation.attacks.registry import ATTACKS
from memtail_core.experiments.experiment import Command, Experiment, Host, OneOf, Options
from memtail_core.experiments.privacy.result import Privacy
from memtail_core.study import MOST_TRIALS

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.document import Document
    from memtail_core.drawing.section import Section
    from memtail_core.study import Study

_WORDS = tuple(ATTACKS)
References = Annotated[int, Field(ge=4, le=MOST_TRIALS)]


class PrivacyOptions(Options):
    """The options of the command."""

    attacks: tuple[Annotated[str, OneOf(_WORDS)], ...] = Field(
        _WORDS, description="Attack in these ways; lira, lira-pooled and loss always."
    )
    references: tuple[References, ...] = Field(
        (), description="Also attack with so many reference models: 16,64,256."
    )
    target: str | None = Field(
        None, description="Attack the model whose margins or logits this .npz file holds."
    )
    epsilon: float | None = Field(
        None, ge=0, le=100, description="Test the claim that training is (ε, δ)-private."
    )
    delta: float = Field(1e-5, ge=0, lt=1, description="δ of the claim and of the bound on ε.")


def run(host: Host, options: PrivacyOptions) -> Iterator[Privacy]:
    """Find examples whose membership an attacker can infer.

    Attacks each model of STUDY with all others as references: likelihood ratios (Carlini et al.)
    and others. --output exposed.csv has one row per example: how well an attacker recognizes it as
    a training example. --page audit.html writes an audit to file. Trains nothing and works on
    unfinished studies; it needs margins.
    """
    from memtail_core.experiments.privacy.lower_bound import Claim
    from memtail_core.experiments.privacy.plan import audit
    from memtail_core.experiments.privacy.target_file import GivenTarget

    (subject,) = host.subjects(margins=True, unfinished=True)
    target = options.target and GivenTarget.read(options.target, subject.dataset)
    with host.progress("attacking", 2 * subject.trials.n, "attacks") as progress:
        yield audit(
            subject.study,
            subject.trials,
            progress,
            attacks=[ATTACKS[word] for word in options.attacks],
            references=options.references,
            claim=Claim(options.delta, options.epsilon),
            target=target or None,
        )


def section(result: Privacy, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.privacy.section import section

    return section(result, dataset)


def document(result: Privacy, study: "Study", dataset: "Dataset") -> "Document":
    """Make the page that an auditor can file."""
    from memtail_core.experiments.privacy.document import document

    return document(result, study, dataset)


EXPERIMENT = Experiment(
    Privacy, section, Command("privacy", PrivacyOptions, run, writes_table=True), document
)
