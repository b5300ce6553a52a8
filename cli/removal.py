"""``memtail removal``: what test accuracy costs without the memorized training examples."""

import click

from cli.experiment import Numbers, Where, finish, finished, trained, training_options
from cli.options import json_option, store_option, study_argument


@click.command()
@study_argument
@store_option
@click.option(
    "--thresholds",
    type=Numbers(),
    help="Remove examples from here on. [default: 0.1,0.25,0.4,0.55,0.7,0.85]",
)
@click.option(
    "--repeats",
    type=click.IntRange(2, 10_000),
    default=5,
    show_default=True,
    help="Train this many networks on each training set.",
)
@click.option(
    "--deduplicate",
    is_flag=True,
    help="First leave out near-duplicates of test examples.",
)
@training_options
@json_option
def removal(
    name: str,
    location: str,
    thresholds: tuple[float, ...] | None,
    repeats: int,
    deduplicate: bool,
    workers: int | None,
    device: str,
    submit: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Measure what removing the memorized examples costs.

    Trains networks without the memorized examples of STUDY, and without as many random ones. Half
    of the study's models choose the examples to remove, the other half the test examples in
    high-influence pairs. The networks are stored, so that nothing is trained twice.
    """
    from memtail_core import catalogue
    from memtail_core.experiments.removal.plan import THRESHOLDS, analyse, plan

    store, study, material = finished(location, name)
    duplicates = None
    if deduplicate:
        from memtail_core.data.near_duplicates import in_test_set

        duplicates = in_test_set(material.dataset).is_duplicate
    planned = plan(
        study, material.trials, material.dataset, thresholds or THRESHOLDS, duplicates=duplicates
    )
    if not dry_run:
        catalogue.register_arms(store, planned.study, planned.arms)
    where = Where(workers, device, submit, dry_run, as_json)
    n_trials = repeats * len(planned.arms)
    found = trained(store, planned.study, material.dataset, n_trials, where)
    if found is not None:
        finish(store, study, analyse(study, planned, found), as_json)
