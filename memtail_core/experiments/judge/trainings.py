"""What judging asks of the program that runs it: scores that need networks, networks that judge."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core import approximations, catalogue
from memtail_core.errors import EstimationError
from memtail_core.experiments.experiment import Host, Subject
from memtail_core.experiments.judge import named
from memtail_core.experiments.judge.plan import Split
from memtail_core.experiments.judge.reading import Reading
from memtail_core.experiments.judge.result import Loss
from memtail_core.experiments.judge.retraining import ceiling_study, costs, removals
from memtail_core.experiments.judge.scores import Scores, from_file
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.training.device import resolve_device


class Chosen(Protocol):
    """The options that say what is trained."""

    @property
    def scores(self) -> tuple[str, ...]:
        """Files and methods."""

    @property
    def runs(self) -> int:
        """Networks of an approximation."""

    @property
    def outcome(self) -> str:
        """What a loss is of."""

    @property
    def remove(self) -> tuple[int, ...]:
        """How many of the highest scores to remove."""

    @property
    def repeats(self) -> int:
        """Networks of each removal."""


def is_file(name: str) -> bool:
    """Whether scores of this name are read from a file, and are not a method's."""
    return Path(name).suffix in (".npy", ".npz", ".zarr") or Path(name).exists()


def every(host: Host, options: Chosen, subject: Subject, parts: Split) -> list[Scores] | None:
    """Read or compute all scores; None in a dry run that would train for them."""
    every, study, dataset = [], subject.study, subject.dataset
    for name in options.scores:
        if is_file(name):
            every.append(from_file(name, dataset, study.id))
        elif name in named.COUNTED:
            if not len(parts.making):
                raise EstimationError(f"{name} needs models to count: raise --from-trials")
            every.append(named.counted(name, parts.making))
        else:
            method = named.method_of(name)
            scores = _approximated(host, options.runs, subject, method.name)
            if scores is None:
                return None
            every.append(scores)
    if len({each.name for each in every}) < len(every):
        raise EstimationError("two of the scores have the same name: rename a file")
    return every


def _approximated(host: Host, count: int, subject: Subject, name: str) -> Scores | None:
    device = resolve_device(host.device)
    setting = approximations.Setting(subject.store, subject.study, subject.dataset, device)
    chosen, left_out = approximations.named([name]).applicable(setting.recipe, subject.dataset)
    if left_out:
        raise EstimationError(f"{name} does not apply: {next(iter(left_out))}")
    if host.is_dry_run:
        missing = len(approximations.missing(setting, count))
        host.say_plan({"networks": missing}, f"{missing} networks would be trained for {name}")
        return None
    with host.progress("training", count, "networks") as advance:
        runs = approximations.recorded(setting, count, progress=lambda _: advance(1))
    return named.approximated(chosen.of_influence[0], subject.dataset, runs)


def again(
    host: Host, count: int, subject: Subject, parts: Split
) -> tuple[NDArray[np.int64], Trials] | None:
    """Train again on ``count`` subsets; None if nobody asked, and in a dry run."""
    if not count:
        return None
    study, arms, rows = ceiling_study(subject.study, parts.judging, count)
    if not host.is_dry_run:
        catalogue.register_arms(subject.store, study, arms)
    if host.train(subject.store, study, subject.dataset, len(arms)) is None:
        return None
    trained, _ = loading.load(subject.store, study, values=True)
    return rows, trained


def losses(
    host: Host,
    options: Chosen,
    subject: Subject,
    readings: list[Reading],
    tests: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> dict[str, list[Loss]] | None:
    """Remove the highest scores of some test examples and train; None in a dry run."""
    planned = removals(subject.study, readings, columns, options.remove)
    store, n_trials = subject.store, options.repeats * (1 + len(tests))
    if not host.is_dry_run:
        for each in planned:
            catalogue.register_arms(store, each.study, each.arms)
    studies = [(each.study, subject.dataset) for each in planned]
    if host.train_all(store, studies, n_trials) is None:
        return None
    losses = []
    for each in planned:
        trained, _ = loading.load(store, each.study, values=True)
        first = trained.taken(np.flatnonzero(trained.trials < n_trials))
        losses.append(each.losses(first, tests, options.outcome))
    found: dict[str, list[Loss]] = {reading.scores.name: [] for reading in readings}
    for removal, loss in costs(planned, losses, options.outcome):
        found[removal.reading.scores.name].append(loss)
    return found
