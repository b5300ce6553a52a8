"""``memtail datamodels``: its options, and what it computes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from memtail_core.experiments.datamodels.result import Datamodels
from memtail_core.experiments.experiment import Command, Experiment, Host, Options
from memtail_core.study import MOST_TRIALS

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class DatamodelsOptions(Options):
    """The options of the command."""

    outcome: Literal["margin", "probability", "correctness"] = Field(
        "margin", description="What to predict of a model on each test example."
    )
    from_trials: int | None = Field(
        None,
        ge=0,
        le=MOST_TRIALS,
        description="Fit to this many models; the others judge. [default: 4 of 5]",
    )
    weights: str | None = Field(
        None, description="Write the largest weights to this .npz, which memtail judge reads."
    )
    top: int = Field(
        100, ge=1, le=10_000, description="Write this many weights for each test example."
    )


def run(host: Host, options: DatamodelsOptions) -> Iterator[Datamodels]:
    """Predict models on subsets by sparse linear models.

    For every test example, the lasso predicts the margin of the models of STUDY from the training
    examples they trained on. Models that it has not seen judge it. --output datamodels.csv has one
    row per test example. Trains nothing and works on unfinished studies.
    """
    from memtail_core.errors import EstimationError
    from memtail_core.experiments.datamodels.plan import fit_and_judge, parts_of
    from memtail_core.running.machine import usable_cores
    from memtail_core.training.device import resolve_device

    path = options.weights
    if path is not None and (Path(path).suffix != ".npz" or not Path(path).parent.is_dir()):
        raise EstimationError(f"--weights {path}: name an .npz file in a folder that exists")
    device = resolve_device(host.device)
    (subject,) = host.subjects(margins=True, unfinished=True)
    subject.trials.check_tested()
    if options.outcome != "correctness" and subject.trials.test_values is None:
        raise EstimationError(f"{subject.study.id} keeps no margins: predict --outcome correctness")
    parts = parts_of(subject.study, subject.trials, options.from_trials)
    with host.progress("fitting", subject.trials.n_test, "test examples") as progress:
        result, weights = fit_and_judge(
            subject.study,
            parts,
            options.outcome,
            options.top,
            device=device,
            threads=usable_cores(),
            progress=progress,
        )
    if path is not None:
        weights.save(path, subject.study, subject.dataset)
    yield result


def section(result: Datamodels, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.datamodels.section import section

    return section(result, dataset)


EXPERIMENT = Experiment(
    Datamodels,
    section,
    Command("datamodels", DatamodelsOptions, run, takes_device=True, writes_table=True),
)
