"""``memtail subgroups``: its options, and what it computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Threshold
from memtail_core.experiments.subgroups.result import Subgroups

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class SubgroupsOptions(Options):
    """The options of the command."""

    min_influence: Threshold = Field(0.15, description="Count pairs with at least this influence.")
    doubted: float = Field(
        0.5, gt=0, lt=1, description="Doubt labels that are wrong with at least this probability."
    )
    fail_if: str | None = Field(
        None, title="CHECK", description="Exit with 1 if this holds, as 'likely-mislabeled > 1%'."
    )


def run(host: Host, options: SubgroupsOptions) -> Iterator[Subgroups]:
    """Find training examples to keep, to relabel or to drop.

    Each example is typical, atypical-useful, likely-mislabeled, duplicate or only-of-class.
    --output groups.csv lists those that are not typical, one per row with the evidence, for a
    relabeling tool.

    --fail-if 'likely-mislabeled > 1%' checks data in CI: the command exits with 1 if more than 1%
    of the examples are of that category, with 0 if not, and with 2 if it could not tell.
    """
    from memtail_core.data import near_duplicates
    from memtail_core.errors import EstimationError
    from memtail_core.estimation.influence import PairsRule
    from memtail_core.experiments.subgroups.plan import FDR, subgroups
    from memtail_core.running import features

    failure(options, None)
    (subject,) = host.subjects(margins=True)
    if not subject.dataset.is_labelled:
        raise EstimationError(
            f"{subject.study.id} has no labels to doubt: subgroups are for studies with labels"
        )
    rule = PairsRule(theta_infl=options.min_influence, fdr=FDR)
    with host.status("looking for near-duplicates"):
        seen = features.stored(subject.store, subject.study, subject.dataset)
        in_train = near_duplicates.within_training_set(subject.dataset, seen)
        in_test = near_duplicates.in_test_set(subject.dataset, seen)
    yield subgroups(
        subject.study,
        subject.trials,
        subject.dataset,
        in_train,
        in_test,
        rule,
        options.doubted,
        host.estimator,
    )


def failure(options: SubgroupsOptions, result: Subgroups | None) -> str | None:
    """Say why the check that the user asked for fails; None if it does not, or is not known yet.

    Raises:
        StudyError: the check cannot be understood.
    """
    from memtail_core.experiments.subgroups.limit import Limit

    limit = None if options.fail_if is None else Limit.parse(options.fail_if)
    return None if limit is None or result is None else limit.exceeded(result)


def section(result: Subgroups, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.subgroups.section import section

    return section(result, dataset)


EXPERIMENT = Experiment(
    Subgroups,
    section,
    Command(
        "subgroups", SubgroupsOptions, run, takes_estimator=True, writes_table=True, failure=failure
    ),
)
