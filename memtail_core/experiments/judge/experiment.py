"""``memtail judge``: its options, and what it trains and computes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Subject
from memtail_core.experiments.judge.result import Judgement
from memtail_core.study import MOST_TRIALS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section
    from memtail_core.experiments.judge.plan import Split
    from memtail_core.experiments.judge.scores import Scores
    from memtail_core.running.trials import Trials


class JudgeOptions(Options):
    """The options of the command."""

    scores: tuple[str, ...] = Field(description="Files of scores, or names of methods.")
    outcome: Literal["margin", "correctness"] = Field(
        "margin", description="What the scores are to predict of a model."
    )
    from_trials: int | None = Field(
        None,
        ge=0,
        le=MOST_TRIALS,
        description="Make scores from this many models; the others judge. [default: half]",
    )
    runs: int = Field(5, ge=1, le=100, description="Train this many networks for an approximation.")
    ceiling: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Train again on this many subsets, to know the highest score possible.",
    )


def run(host: Host, options: JudgeOptions) -> Iterator[Judgement]:
    """Judge attribution methods by the models of STUDY.

    SCORES are files, .npy or .npz, with a number for each training and test example, or methods:
    counted, counted-margins, projected-gradients, weighted-similarity, representation-similarity.
    Models that no score was made from tell how well the scores, summed over a model's subset,
    predict what the model does (the linear datamodeling score). If only files are judged, all
    models judge, unless --from-trials says otherwise.
    """
    from memtail_core.errors import EstimationError
    from memtail_core.experiments.judge.plan import judge, split

    if 0 < options.ceiling < 3:
        raise EstimationError("--ceiling takes at least 3 subsets")
    is_margin = options.outcome == "margin"
    (subject,) = host.subjects(margins=True, unfinished=True)
    if not subject.trials.n_test:
        raise EstimationError(
            f"{subject.study.id} was imported without test outcomes: there is nothing to judge by"
        )
    if is_margin and subject.trials.test_values is None:
        raise EstimationError(
            f"{subject.study.id} keeps no margins: judge with --outcome correctness"
        )
    names = [each for each in options.scores if not _is_file(each)]
    making = options.from_trials
    if making is None:
        making = len(subject.trials) // 2 if names else 0
    parts = split(subject.study, subject.trials, making)
    every = _every(host, options, subject, parts)
    again = _again(host, options.ceiling, subject, parts) if every is not None else None
    if every is None or (options.ceiling and again is None):
        return
    total = len(every) * len(subject.dataset.y_train)
    with host.progress("judging", total, "examples") as progress:
        yield judge(
            subject.study,
            subject.dataset,
            parts,
            every,
            is_margin=is_margin,
            again=again,
            progress=progress,
        )


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".npy", ".npz") or Path(name).exists()


def _every(
    host: Host, options: JudgeOptions, subject: Subject, parts: "Split"
) -> "list[Scores] | None":
    """Read or compute all scores; None in a dry run that would train for them."""
    from memtail_core.errors import EstimationError
    from memtail_core.experiments.judge import named
    from memtail_core.experiments.judge.scores import from_file

    every, study, dataset = [], subject.study, subject.dataset
    for name in options.scores:
        if _is_file(name):
            every.append(from_file(name, dataset, study.id))
        elif name in (named.COUNTED, named.COUNTED_MARGINS):
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


def _approximated(host: Host, count: int, subject: Subject, name: str) -> "Scores | None":
    from memtail_core import approximations
    from memtail_core.errors import EstimationError
    from memtail_core.experiments.judge import named
    from memtail_core.training.device import resolve_device

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


def _again(
    host: Host, count: int, subject: Subject, parts: "Split"
) -> "tuple[NDArray[np.int64], Trials] | None":
    """Train again on ``count`` subsets; None if nobody asked, and in a dry run."""
    from memtail_core import catalogue
    from memtail_core.experiments.judge.plan import ceiling_study
    from memtail_core.running import loading

    if not count:
        return None
    study, arms, rows = ceiling_study(subject.study, parts.judging, count)
    if not host.is_dry_run:
        catalogue.register_arms(subject.store, study, arms)
    if host.train(subject.store, study, subject.dataset, len(arms)) is None:
        return None
    trained, _ = loading.load(subject.store, study, values=True)
    return rows, trained


def section(result: Judgement, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.judge.section import section

    return section(result)


EXPERIMENT = Experiment(
    Judgement,
    section,
    Command("judge", JudgeOptions, run, trains=True, writes_table=True),
)
