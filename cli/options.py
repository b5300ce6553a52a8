"""Options that several commands share, and the study they name."""

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
    """A number from −1 to 1; click lets NaN pass."""

    def __init__(self) -> None:
        super().__init__(-1, 1)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse and check."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("nan is no threshold", param, ctx)
        return number


class EstimatorName(click.ParamType):  # type: ignore[type-arg]
    """The name of an estimator; the registry is read only when it is needed."""

    name = "estimator"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Estimator":
        """Look the estimator up."""
        from memtail_core.estimation.estimators import estimator_named

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
    help="Where studies are kept: a folder, or s3://bucket.",
)
trials_option = click.option(
    "--trials",
    type=click.IntRange(1, MOST_TRIALS),
    help="Models to have in all; more than now: grow.",
)
set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change the study: training.epochs=20.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
any_class_option = click.option("--any-class", is_flag=True, help="Pairs of different classes too.")
fdr_option = click.option(
    "--fdr",
    type=click.FloatRange(0, 0.5, min_open=True),
    help="Only significant pairs: at most this share is expected to be false, as 0.05.",
)
estimator_option = click.option(
    "--estimator",
    type=EstimatorName(),
    default="counted",
    show_default=True,
    help="What estimates memorization; calibrated: for few models.",
)
study_argument = click.argument("name", metavar="STUDY")


def find_study(location: str, name: str) -> tuple[ObjectStore, Study]:
    """Open the store and find the study whose id is or begins with ``name``, or of that file."""
    store = open_store(location)
    if not name.endswith(".toml"):
        return store, catalogue.find(store, name)
    if not Path(name).is_file():
        return store, catalogue.find(store, name_of(name))
    spec = Spec.load(name)
    if len(catalogue.named(store, spec.study.name)) > 1:  # only the data tell which is meant
        from memtail_core.running.preparation import prepare

        return store, catalogue.find(store, prepare(spec).study.id)
    return store, catalogue.find(store, spec.study.name)


def open_study(
    store: "ObjectStore", name: str, assignments: tuple[str, ...], trials: int | None
) -> tuple["Study", "Dataset", int]:
    """Read a spec, or a study of the store by its id; and how many trials it should have."""
    from rich.console import Console
    from rich.markup import escape

    from memtail_core.running.preparation import prepare

    is_spec = name in shipped() or name.endswith(".toml") or Path(name).is_file()
    if not is_spec and any(each.startswith(name) for each in catalogue.ids(store)):
        study = catalogue.find(store, name)
        if assignments:
            raise StudyError("--set changes a study file; a stored study never changes")
        goal = trials or catalogue.goal(store, study)
        if not goal:
            raise StudyError(f"how many models {study.id} should have is not known: say --trials")
        return study, catalogue.load_dataset(store, study), goal
    spec = Spec.load(name, overrides(assignments))
    with Console(stderr=True).status(f"reading {escape(spec.dataset.source)}"):
        study, dataset = prepare(spec)
    return study, dataset, trials or max(spec.study.trials, catalogue.goal(store, study))


def overrides(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Read ``training.epochs=20`` and its like; a value that is no TOML is a string."""
    found = {}
    for assignment in assignments:
        key, is_pair, value = assignment.partition("=")
        if not is_pair or not key:
            raise StudyError(f"--set {assignment}: write KEY=VALUE, as training.epochs=20")
        try:
            found[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = value
    return found


def print_json(value: Any) -> None:
    """Print machine-readable output: one document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
