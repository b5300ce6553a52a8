"""``memtail approximate``: memorization and influence from one network or a few."""

from typing import TYPE_CHECKING

import click
from rich.console import Console

from cli import output as out
from cli.options import (
    device_option,
    find_study,
    json_option,
    open_study,
    store_option,
    study_argument,
)
from cli.recorded_runs import recorded_runs

if TYPE_CHECKING:
    from memtail_core.approximations import Setting


@click.command()
@study_argument
@store_option
@click.option(
    "--method", "methods", multiple=True, help="Use this method; repeatable. [default: all]"
)
@click.option(
    "--runs",
    "count",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Train this many networks, the study's first models.",
)
@click.option("--whole", is_flag=True, help="Train on all examples instead of subsets.")
@click.option("--evaluate", is_flag=True, help="Compare with the scores of the study's models.")
@click.option(
    "--pairs",
    "pairs_output",
    type=click.Path(dir_okay=False),
    help="Write the strongest pairs to this file, for methods of influence.",
)
@click.option(
    "--highest",
    type=click.IntRange(min=1),
    help="Write only the examples that one --method scores highest to --output.",
)
@out.format_option
@out.output_option
@device_option
@click.option("--dry-run", is_flag=True, help="Print what would be trained; do nothing.")
@json_option
def approximate(
    name: str,
    location: str,
    methods: tuple[str, ...],
    count: int,
    whole: bool,
    evaluate: bool,
    pairs_output: str | None,
    highest: int | None,
    format_: str | None,
    output: str | None,
    device: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Approximate memorization from one or a few networks.

    STUDY is a study file, a study that ships with memtail, or one in the store. --output
    scores.csv writes a row per example and a column per method; more memorized examples score
    higher. The outputs recorded in training are stored with the study, so no network is trained
    twice.
    """
    from cli.approximations import give, print_evaluation, print_plan
    from memtail_core import approximations, catalogue
    from memtail_core.errors import EstimationError
    from memtail_core.running import loading

    if evaluate and (output or pairs_output or format_):
        raise click.UsageError("--evaluate only compares: leave out --output, --pairs, --format")
    files = {
        option: (path, _format(path, option, format_))
        for option, path in (("--output", output), ("--pairs", pairs_output))
        if path
    }
    asked = approximations.named(methods)
    if highest is not None and not (output and len(asked.methods) == 1):
        raise click.UsageError("--highest: add one --method of memorization, and --output")
    if pairs_output and not asked.of_influence:
        raise EstimationError("--pairs: none of --method approximates influence")
    setting, goal = _opened(location, name, device, stored=evaluate)
    chosen, left_out = asked.applicable(setting.recipe, setting.dataset)
    if not len(chosen):
        raise EstimationError(f"no method applies: {'; '.join(left_out)}")
    for reason, names in left_out.items():
        click.echo(f"left out: {', '.join(names)}: {reason}", err=True)
    if dry_run:
        print_plan(setting, chosen, count, whole, as_json)
        return
    stored_trials = loading.load(setting.store, setting.study)[0] if evaluate else None
    if stored_trials is None:
        catalogue.register(setting.store, setting.study, setting.dataset, goal)
    else:
        approximations.reference(stored_trials, 0 if whole else count)  # refuse before training
    runs = recorded_runs(setting, count, whole=whole) if chosen.trains else []
    with Console(stderr=True).status("comparing" if evaluate else "approximating"):
        if stored_trials is not None:
            evaluation = approximations.evaluate(
                chosen, setting.dataset, stored_trials, runs, whole=whole
            )
        else:
            approximated = approximations.approximated(chosen, setting.dataset, runs)
    if stored_trials is not None:
        print_evaluation(setting.study, evaluation, as_json)
    else:
        give(setting, approximated, files, len(runs), highest, as_json)


def _format(path: str, option: str, asked: str | None) -> str:
    format_ = out.format_of(path, asked, out.FORMATS)
    if format_ is None:
        raise click.UsageError(f"{option} {path}: add --format csv, parquet or json")
    return format_


def _opened(location: str, name: str, device: str, *, stored: bool) -> "tuple[Setting, int]":
    """The study and its goal: from the store if it has one of that name (``stored``: it must)."""
    from memtail_core import catalogue
    from memtail_core.analysis.analysis import refuse_experiments
    from memtail_core.approximations import Setting
    from memtail_core.store import open_store
    from memtail_core.training.device import resolve_device

    where = resolve_device(device)
    store = open_store(location)
    is_file = name.endswith(".toml")
    if stored or (not is_file and catalogue.is_known(store, name)):
        store, study = find_study(location, name)
        dataset, goal = catalogue.load_dataset(store, study), catalogue.goal(store, study)
    else:
        study, dataset, goal = open_study(store, name, (), None)
    refuse_experiments(study)
    return Setting(store, study, dataset, where), goal
