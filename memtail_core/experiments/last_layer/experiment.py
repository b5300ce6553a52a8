"""``memtail last-layer``: its options, and what it trains and compares."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options
from memtail_core.experiments.last_layer.result import LastLayer

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class LastLayerOptions(Options):
    """The options of the command."""

    every_layer: bool = Field(False, description="Train a linear layer on each earlier layer too.")
    l2: float = Field(
        1e-3, gt=0, description="Penalize the weights of the linear layers this much."
    )


def run(host: Host, options: LastLayerOptions) -> Iterator[LastLayer]:
    """Measure what the last layer of a network memorizes alone.

    Trains one network on all examples of STUDY and fixes its representation. Then trains its last
    layer on the subset of each of the study's models: thousands of convex problems in seconds.
    """
    from memtail_core.experiments.last_layer.plan import analyse, study_of
    from memtail_core.experiments.last_layer.representations import is_represented, represented
    from memtail_core.training.device import resolve_device

    (subject,) = host.subjects()
    store, study, trials = subject.store, subject.study, subject.trials
    study.check_trainable()
    n_trials = int(trials.trials[-1]) + 1
    every = options.every_layer
    if host.is_dry_run and not is_represented(store, study, every_layer=every):
        which = "each of its layers" if every else "its last layer"
        host.say_plan(
            {"networks": 1, "linear_models_a_layer": n_trials},
            f"to train: one network on all {trials.n:,} examples, then {n_trials:,} "
            f"linear models on the input of {which}",
        )
        return
    with host.status("training one network on all examples"):
        device = resolve_device(host.device)
        representations = represented(store, study, subject.dataset, device, every_layer=every)
    prepared = [
        study_of(study, layer, of_layer, options.l2) for layer, of_layer in representations.items()
    ]
    trained = host.train_all(store, prepared, n_trials)
    if trained is not None:
        layers = {
            layer: (each.study, of_layer)
            for layer, each, of_layer in zip(representations, prepared, trained, strict=True)
        }
        yield analyse(study, trials, subject.dataset, layers, representations, options.l2)


def section(result: LastLayer, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.last_layer.section import section

    return section(result)


EXPERIMENT = Experiment(
    LastLayer, section, Command("last-layer", LastLayerOptions, run, trains=True)
)
