"""``memtail consistency``: what is known without being seen, and from how many others."""

import click

from cli import output as out
from cli.experiment import Numbers, Where, finish, finished, trained, training_options
from cli.options import json_option, print_json, store_option, study_argument
from memtail_core.study import MOST_TRIALS


@click.command()
@study_argument
@store_option
@click.option(
    "--ratios", type=Numbers(), help="Train on these shares. [default: 0.1,0.3,0.5,0.7,0.9]"
)
@click.option(
    "--trials",
    type=click.IntRange(1, MOST_TRIALS),
    default=100,
    show_default=True,
    help="Train this many models of each ratio.",
)
@out.format_option
@out.output_option
@training_options
@json_option
def consistency(
    name: str,
    location: str,
    ratios: tuple[float, ...] | None,
    trials: int,
    format_: str | None,
    output: str | None,
    workers: int | None,
    device: str,
    submit: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compute consistency scores (C-scores) of all examples.

    Trains models like those of STUDY on other shares of the training set and counts how often they
    classify held-out examples correctly. The mean over the shares is the C-score of Jiang et al.
    The models are stored, so that nothing is trained twice. --output scores.csv has one row per
    example.
    """
    from memtail_core.experiments.consistency.result import RATIOS, analyse, study_at
    from memtail_core.experiments.consistency.section import examples_table

    if as_json and (output or format_):
        raise click.UsageError("--json prints all that was found; for a file leave it out")
    format_ = out.format_of(output, format_, out.FORMATS)
    if output and format_ is None:
        raise click.UsageError(f"--output {output}: say --format csv, parquet or json")
    if not all(0 < ratio < 1 for ratio in ratios or ()):
        raise click.UsageError("--ratios: write shares between 0 and 1, as 0.1,0.5,0.9")
    store, study, material = finished(location, name)
    others = [study_at(study, ratio) for ratio in ratios or RATIOS]
    if dry_run and as_json:
        from memtail_core.running.cost import estimate
        from memtail_core.training.device import resolve_device

        on = resolve_device(device)
        each = [s for s in others if s.id != study.id]
        print_json(
            [estimate(store, s, material.dataset, trials, on, workers).as_dict() for s in each]
        )
        return
    where = Where(workers, device, submit, dry_run, as_json)
    models = []
    for other in others:
        is_own = other.id == study.id
        found = (
            material.trials if is_own else trained(store, other, material.dataset, trials, where)
        )
        if found is not None:
            models.append((other, found))
    if dry_run:
        return
    result = analyse(study, material.trials, models)
    if format_:
        out.write(out.encode(examples_table(result, material.dataset), format_), output)
    finish(store, study, result, as_json, err=bool(format_))
