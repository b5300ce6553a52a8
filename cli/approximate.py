"""``memtail approximate``: memorization and influence from one training, or a few."""

from typing import TYPE_CHECKING

import click
from rich.console import Console

from cli import output as out
from cli.options import find_study, json_option, open_study, store_option, study_argument

if TYPE_CHECKING:
    from memtail_core.approximations import Run, Setting


@click.command()
@study_argument
@store_option
@click.option("--method", "methods", multiple=True, help="Which; repeat. [default: all]")
@click.option(
    "--runs",
    "count",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Networks to train: the study's first models.",
)
@click.option("--whole", is_flag=True, help="Train them on all examples, not on subsets.")
@click.option("--evaluate", is_flag=True, help="Compare with what the study's models say.")
@click.option(
    "--pairs",
    "pairs_output",
    type=click.Path(dir_okay=False),
    help="A file for the strongest pairs, where methods are of influence.",
)
@click.option("--format", "format_", type=click.Choice(out.FORMATS), help="Of the files.")
@out.output_option
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained; do nothing.")
@json_option
def approximate(
    name: str,
    location: str,
    methods: tuple[str, ...],
    count: int,
    whole: bool,
    evaluate: bool,
    pairs_output: str | None,
    format_: str | None,
    output: str | None,
    device: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Approximate the memorization of STUDY from one network, or a few, watched in training.

    STUDY is a study file, one that ships with memtail, or one of the store. With --output
    scores.csv: a row an example, a column a method, higher for what is memorized more. What is seen
    in training is kept with the study; nothing is trained twice.
    """
    from cli.approximations import give, say_evaluation, say_plan
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
    if pairs_output and not asked.of_influence:
        raise EstimationError("--pairs: none of --method approximates influence")
    setting, goal = _opened(location, name, device, stored=evaluate)
    chosen, left_out = asked.applicable(setting.recipe, setting.dataset)
    if not len(chosen):
        raise EstimationError(f"no method applies: {'; '.join(left_out)}")
    for reason, names in left_out.items():
        click.echo(f"left out: {', '.join(names)}: {reason}", err=True)
    if dry_run:
        say_plan(setting, chosen, count, whole, as_json)
        return
    found_trials = loading.load(setting.store, setting.study)[0] if evaluate else None
    if found_trials is None:
        catalogue.register(setting.store, setting.study, setting.dataset, goal)
    else:
        approximations.reference(found_trials, 0 if whole else count)  # or refuse, before training
    runs = _runs(setting, count, whole) if chosen.trains else []
    with Console(stderr=True).status("comparing" if evaluate else "approximating"):
        if found_trials is not None:
            found = approximations.evaluate(
                chosen, setting.dataset, found_trials, runs, whole=whole
            )
        else:
            said = approximations.approximated(chosen, setting.dataset, runs)
    if found_trials is not None:
        say_evaluation(setting.study, found, as_json)
    else:
        give(setting, said, files, len(runs), as_json)


def _format(path: str, option: str, asked: str | None) -> str:
    found = out.format_of(path, asked, out.FORMATS)
    if found is None:
        raise click.UsageError(f"{option} {path}: say --format csv, parquet or json")
    return found


def _opened(location: str, name: str, device: str, *, stored: bool) -> "tuple[Setting, int]":
    """The study and its goal, of the store if one is called so; ``stored``: only that will do."""
    from memtail_core import catalogue
    from memtail_core.analysis.analysis import refuse_experiments
    from memtail_core.approximations import Setting
    from memtail_core.store import open_store
    from memtail_core.training.device import resolve_device

    where = resolve_device(device)
    store = open_store(location)
    is_file = name.endswith(".toml")
    if stored or (not is_file and any(each.startswith(name) for each in catalogue.ids(store))):
        store, study = find_study(location, name)
        dataset, goal = catalogue.load_dataset(store, study), catalogue.goal(store, study)
    else:
        study, dataset, goal = open_study(store, name, (), None)
    refuse_experiments(study)
    return Setting(store, study, dataset, where), goal


def _runs(setting: "Setting", count: int, whole: bool) -> "list[Run]":
    from memtail_core.approximations import recorded

    with Console(stderr=True).status(f"training: 0 of {count} networks") as status:
        return recorded(
            setting,
            count,
            whole=whole,
            progress=lambda done: status.update(f"training: {done} of {count} networks"),
        )
