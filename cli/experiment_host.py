"""What experiments ask of the command line: read studies, train on this machine or the cluster."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from cli.options import find_study, print_json
from cli.progress import progress_bar
from memtail_core.experiments.experiment import ProgressCallback, Subject

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.estimation.estimator import Estimator
    from memtail_core.running.trials import Trials
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study


@dataclass
class CommandLine:
    """What the user says beside the options of the experiment; a :class:`.experiment.Host`.

    Attributes:
        location, names: the store, and the studies in it.
        workers, device: how to train on this machine.
        is_submitted: whether to train on the cluster instead.
        is_dry_run: whether to say what would be trained, and to do nothing.
        as_json: whether to print JSON.
        estimator: estimates memorization.
    """

    location: str
    names: Sequence[str]
    workers: int | None
    device: str
    is_submitted: bool
    is_dry_run: bool
    as_json: bool
    estimator: "Estimator"
    _subjects: dict[str, Subject] = field(default_factory=dict)
    _plans: list[Any] = field(default_factory=list)

    def subjects(self, *, margins: bool = False, unfinished: bool = False) -> Sequence[Subject]:
        """Read the studies that the user names."""
        subjects = [_read(self.location, name, margins, unfinished) for name in self.names]
        self._subjects = {each.study.id: each for each in subjects}
        return subjects

    def subject_of(self, study_id: str) -> Subject:
        """Return the study of this id, of those that were read."""
        return self._subjects[study_id]

    def train(
        self, store: "ObjectStore", study: "Study", dataset: "Dataset", trials: int
    ) -> "Trials | None":
        """Train what is missing of a study; None in a dry run."""
        study.check_trainable()
        if self.is_dry_run and self.as_json:
            self._plans.append(self._plan(store, study, dataset, trials))
            return None
        if self.is_submitted:
            from cli import cluster_training

            return cluster_training.train(
                store,
                study,
                dataset,
                trials,
                self.device,
                is_dry_run=self.is_dry_run,
                quiet=self.as_json,
            )
        from cli.training import RunOptions, train

        options = RunOptions(self.workers, self.device, None, self.is_dry_run, self.as_json)
        return train(store, study, dataset, trials, options)

    def train_all(
        self, store: "ObjectStore", studies: "Sequence[tuple[Study, Dataset]]", trials: int
    ) -> "list[Trials] | None":
        """Train what is missing of several studies; None in a dry run."""
        for study, _ in studies:
            study.check_trainable()
        if self.is_dry_run and self.as_json:
            self._plans.append([self._plan(store, study, data, trials) for study, data in studies])
            return None
        trained = [self.train(store, study, data, trials) for study, data in studies]
        return None if self.is_dry_run else [each for each in trained if each is not None]

    def say_plan(self, plan: dict[str, Any], sentence: str) -> None:
        """Say in a dry run what would be trained."""
        if self.as_json:
            self._plans.append(plan)
        else:
            click.echo(sentence)

    def print_plans(self) -> None:
        """Print as one JSON document what a dry run would train: one plan, or a list of them."""
        if self._plans:
            print_json(self._plans[0] if len(self._plans) == 1 else self._plans)

    def progress(
        self, task: str, total: int, unit: str
    ) -> AbstractContextManager[ProgressCallback]:
        """Show a progress bar of ``total`` units."""
        return progress_bar(task, total, unit)

    def status(self, task: str) -> AbstractContextManager[object]:
        """Show that work of unknown length is under way."""
        return Console(stderr=True).status(task)

    def _plan(
        self, store: "ObjectStore", study: "Study", dataset: "Dataset", trials: int
    ) -> dict[str, Any]:
        """Return what would be trained, for JSON."""
        from memtail_core.running.cost import estimate
        from memtail_core.training.device import resolve_device

        if self.is_submitted:
            from cli import cluster_training

            return cluster_training.plan(store, study, trials, self.device)
        device = resolve_device(self.device)
        return estimate(store, study, dataset, trials, device, self.workers).as_dict()


def _read(location: str, name: str, margins: bool, unfinished: bool) -> Subject:
    """Read a study and its trials.

    Raises:
        EstimationError: it is unfinished and must not be, because its results would change.
    """
    from memtail_core import catalogue
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.errors import EstimationError

    store, study = find_study(location, name)
    material = LoadedStudy.load(store, study, margins=margins)
    stored = catalogue.Progress.of(store, study)
    if not unfinished and (stored.missing or material.n_damaged):
        raise EstimationError(
            f"{study.id} is unfinished: {len(material.trials):,} of {stored.goal:,} models are "
            f"trained; memtail run {study.id} trains the others"
        )
    return Subject(store, study, material.dataset, material.trials)
