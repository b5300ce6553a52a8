"""``memtail last-layer``: where memorization happens."""

import click

from cli.experiment import Where, finish, finished, trained, training_options
from cli.options import json_option, print_json, store_option, study_argument


@click.command("last-layer")
@study_argument
@store_option
@click.option(
    "--every-layer",
    is_flag=True,
    help="Train a linear layer on each earlier layer too.",
)
@click.option(
    "--l2",
    type=click.FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Penalize the weights of the linear layers this much.",
)
@training_options
@json_option
def last_layer(
    name: str,
    location: str,
    every_layer: bool,
    l2: float,
    workers: int | None,
    device: str,
    submit: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Measure what the last layer of a network memorizes alone.

    Trains one network on all examples of STUDY and fixes its representation. Then trains its last
    layer on the subset of each of the study's models: thousands of convex problems in seconds.
    """
    from rich.console import Console

    from memtail_core.experiments.last_layer.plan import analyse, study_of
    from memtail_core.experiments.last_layer.representations import is_represented, represented
    from memtail_core.training.device import resolve_device

    store, study, material = finished(location, name)
    n_trials = int(material.trials.trials[-1]) + 1
    if dry_run and not is_represented(store, study, every_layer=every_layer):
        if as_json:
            print_json({"networks": 1, "linear_models_a_layer": n_trials})
            return
        which = "each of its layers" if every_layer else "its last layer"
        click.echo(
            f"to train: one network on all {material.trials.n:,} examples, then {n_trials:,} "
            f"linear models on the input of {which}"
        )
        return
    with Console(stderr=True).status("training one network on all examples"):
        of = represented(
            store, study, material.dataset, resolve_device(device), every_layer=every_layer
        )
    where = Where(workers, device, submit, dry_run, as_json)
    layers = {}
    for layer, each in of.items():
        of_layer, features = study_of(study, layer, each, l2)
        found = trained(store, of_layer, features, n_trials, where)
        if found is not None:
            layers[layer] = of_layer, found
    if not dry_run:
        result = analyse(study, material.trials, material.dataset, layers, of, l2)
        finish(store, study, result, as_json)
