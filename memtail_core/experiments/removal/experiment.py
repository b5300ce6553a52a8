"""``memtail removal``: its options, and what it trains and compares."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Threshold
from memtail_core.experiments.removal.result import THRESHOLDS, Removal

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class RemovalOptions(Options):
    """The options of the command."""

    thresholds: tuple[Threshold, ...] = Field(
        THRESHOLDS, description="Remove the examples with at least this memorization."
    )
    repeats: int = Field(
        5, ge=2, le=10_000, description="Train this many networks on each training set."
    )
    deduplicate: bool = Field(
        False,
        description="First leave out near-duplicates of test examples.",
    )


def run(host: Host, options: RemovalOptions) -> Iterator[Removal]:
    """Measure what removing the memorized examples costs.

    Trains networks without the memorized examples of STUDY, and without as many random ones. Half
    of the study's models choose the examples to remove, the other half the test examples in
    high-influence pairs. The networks are stored, so that nothing is trained twice.
    """
    from memtail_core import catalogue
    from memtail_core.data.near_duplicates import in_test_set
    from memtail_core.experiments.removal.plan import analyse, plan
    from memtail_core.running import features

    (subject,) = host.subjects(margins=host.estimator.needs_values)
    store, study, dataset = subject.store, subject.study, subject.dataset
    duplicates = None
    if options.deduplicate:
        seen = features.stored(store, study, dataset)
        duplicates = in_test_set(dataset, seen).is_duplicate
    planned = plan(
        study,
        subject.trials,
        dataset,
        options.thresholds,
        duplicates=duplicates,
        estimator=host.estimator,
    )
    if not host.is_dry_run:
        catalogue.register_arms(store, planned.study, planned.arms)
    n_trials = options.repeats * len(planned.arms)
    trained = host.train(store, planned.study, dataset, n_trials)
    if trained is not None:
        yield analyse(study, planned, trained)


def section(result: Removal, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.removal.section import section

    return section(result)


EXPERIMENT = Experiment(
    Removal, section, Command("removal", RemovalOptions, run, trains=True, takes_estimator=True)
)
