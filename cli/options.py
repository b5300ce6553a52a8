"""Options that several commands share, and how a command finds its study."""

import json
import math
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memtail_core import catalogue
from memtail_core.errors import StudyError
from memtail_core.settings import settings
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import MOST_TRIALS, Spec, Study, name_of, shipped

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.estimation.estimator import Estimator


class Threshold(click.FloatRange):
    """A number from −1 to 1, or ± the largest, without NaN, which click would accept."""

    def __init__(self, largest: float = 1) -> None:
        super().__init__(-largest, largest)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse and check."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("nan is not a number from -1 to 1", param, ctx)
        return number


def estimator_named(name: str) -> "Estimator":
    """Look up an estimator; what calibrates imports much that counting does not need."""
    from memtail_core.estimation.counted import COUNTED

    if name == COUNTED.name:
        return COUNTED
    from memtail_core.estimation.estimators import estimator_named

    return estimator_named(name)


class EstimatorName(click.ParamType):  # type: ignore[type-arg]
    """The name of an estimator; the registry is imported only when it is needed."""

    name = "estimator"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Estimator":
        """Look up the estimator."""
        return estimator_named(value) if isinstance(value, str) else value

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """List the estimators."""
        from memtail_core.estimation.estimators import ESTIMATORS

        return f"[{'|'.join(ESTIMATORS)}]"


store_option = click.option(
    "--store",
    "location",
    default=lambda: settings().store,
    show_default="runs, or MEMTAIL_STORE",
    help="Keep studies in this folder, or in s3://bucket.",
)
trials_option = click.option(
    "--trials",
    type=click.IntRange(1, MOST_TRIALS),
    help="Train this many models in total; more than before grows the study.",
)
shrink_option = click.option(
    "--shrink", is_flag=True, help="Let fewer --trials lower the number; stored models stay."
)
set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of the study file, as training.epochs=20; repeatable.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
any_class_option = click.option("--any-class", is_flag=True, help="Include pairs of two classes.")
fdr_option = click.option(
    "--fdr",
    type=click.FloatRange(0, 0.5, min_open=True),
    help="Keep only pairs significant at this false discovery rate, as 0.05.",
)
estimator_option = click.option(
    "--estimator",
    type=EstimatorName(),
    default="counted",
    show_default=True,
    help="Estimate memorization this way; calibrated suits few models.",
)
measure_option = click.option(
    "--measure",
    metavar="NAME",
    help="Average this: correctness, probability, margin, accuracy, likelihood, …",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    help="Train in this many processes. [default: the fastest, measured]",
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="Compute on auto, cpu, cuda or cuda:1."
)
study_argument = click.argument("name", metavar="STUDY")


def find_study(location: str, name: str) -> tuple[ObjectStore, Study]:
    """Open the store and find the study of that file, or whose id is or begins with ``name``."""
    store = open_store(location)
    if not name.endswith(".toml"):
        return store, catalogue.find(store, name)
    if not Path(name).is_file():
        return store, catalogue.find(store, name_of(name))
    spec = Spec.load(name)
    if len(catalogue.named(store, spec.study.name)) > 1:  # only the data say which one
        from memtail_core.running.preparation import prepare

        return store, catalogue.find(store, prepare(spec).study.id)
    return store, catalogue.find(store, spec.study.name)


def open_study(
    store: "ObjectStore", name: str, assignments: tuple[str, ...], trials: int | None
) -> tuple["Study", "Dataset", int]:
    """Read a study file, or a stored study by its id, and how many trials it should have."""
    is_spec = name in shipped() or name.endswith(".toml") or Path(name).is_file()
    if not is_spec and catalogue.is_known(store, name):
        study = catalogue.find(store, name)
        if assignments:
            raise StudyError("--set changes a study file; a stored study never changes")
        study.check_trainable()
        goal = trials or catalogue.goal(store, study)
        if not goal:
            raise StudyError(f"the store has no number of models for {study.id}: give --trials")
        return study, catalogue.load_dataset(store, study), goal
    from cli.progress import reading
    from memtail_core.running.packing import storage_here
    from memtail_core.running.preparation import prepare

    spec = Spec.load(name, overrides(assignments))
    with reading(spec.dataset.source) as packed:
        study, dataset = prepare(spec, storage=storage_here(packed))
    return study, dataset, trials or max(spec.study.trials, catalogue.goal(store, study))


def overrides(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Parse assignments such as ``training.epochs=20``; a value that is not TOML is a string."""
    parsed = {}
    for assignment in assignments:
        key, is_pair, value = assignment.partition("=")
        if not is_pair or not key:
            raise StudyError(f"--set {assignment}: write KEY=VALUE, as training.epochs=20")
        try:
            parsed[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed[key] = value
    return parsed


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
