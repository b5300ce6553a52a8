"""``memtail judge``: its options, and what it trains and computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Subject
from memtail_core.experiments.judge.result import Judgement
from memtail_core.study import MOST_TRIALS

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class JudgeOptions(Options):
    """The options of the command."""

    scores: tuple[str, ...] = Field(description="Files of scores, or names of methods.")
    outcome: Literal["margin", "probability", "correctness"] = Field(
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
    wrong_labels: str | None = Field(
        None, description="Read which labels are wrong, and say how well scores find them."
    )
    duplicates: bool = Field(
        False, description="Say whether scores find near-duplicates of test examples."
    )
    remove: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="Remove so many highest-scored examples, and train again."
    )
    tests: int = Field(20, ge=2, le=10_000, description="Do so for this many test examples.")
    repeats: int = Field(5, ge=2, le=1_000, description="Train this many networks each time.")


def run(host: Host, options: JudgeOptions) -> Iterator[Judgement]:
    """Judge attribution methods by the models of STUDY.

    SCORES are files, .npy, .npz or .zarr, with a number for each training and test example, or
    methods: combined, counted, counted-margins, counted-probabilities, linearised-retraining,
    projected-gradients, weighted-similarity, representation-similarity. Models that no score was
    made from tell how well the scores, summed over a model's subset, predict what the model does
    (the linear datamodeling score). If only files are judged, all models judge, unless
    --from-trials says otherwise.
    """
    import numpy as np

    from memtail_core.experiments.judge import trainings
    from memtail_core.experiments.judge.duplicates import AMONG, duplicates
    from memtail_core.experiments.judge.plan import Known, asked, check_independent, judge, split
    from memtail_core.experiments.judge.reading import read
    from memtail_core.experiments.judge.wrong_labels import wrong_labels
    from memtail_core.plan import designs

    (subject,) = host.subjects(margins=True, unfinished=True)
    _check(options, subject)
    study, dataset = subject.study, subject.dataset
    wrong = None if options.wrong_labels is None else wrong_labels(options.wrong_labels, dataset)
    making = options.from_trials
    if making is None:
        is_made = any(not trainings.is_file(each) for each in options.scores)
        making = len(subject.trials) // 2 if is_made else 0
    parts = split(study, subject.trials, making)
    every = trainings.every(host, options, subject, parts)
    if every is None:
        return
    for scores in every:
        check_independent(scores, parts.judging)
    again = trainings.again(host, options.ceiling, subject, parts)
    if host.is_dry_run and not options.remove:
        if not options.ceiling:
            host.say_plan({"networks": 0}, "nothing would be trained")
        return
    pairs = None
    if options.duplicates:
        with host.status("looking for near-duplicates"):
            pairs = duplicates(dataset)
    removed_for = designs.drawn_tests(study, options.tests if options.remove else 0)
    columns = np.union1d(removed_for, [] if pairs is None else pairs.tests).astype(np.int64)
    most = max([*options.remove, *(AMONG if pairs is not None else ())], default=0)
    question = asked(subject.trials, parts, options.outcome, columns, most)
    with host.progress("judging", len(every) * len(dataset.y_train), "examples") as progress:
        readings = [read(each, question, progress) for each in every]
    losses = None
    if options.remove:
        places = np.searchsorted(columns, removed_for)
        losses = trainings.losses(host, options, subject, readings, removed_for, places)
        if losses is None:
            return
    known = Known(again, wrong, pairs, losses, len(removed_for), options.repeats)
    yield judge(study, dataset, parts, question, readings, outcome=options.outcome, known=known)


def _check(options: JudgeOptions, subject: Subject) -> None:
    """Refuse options that cannot be, before anything is trained.

    Raises:
        EstimationError: which, and why.
    """
    from memtail_core.errors import EstimationError

    n = len(subject.dataset.y_train)
    subject.trials.check_tested()
    if 0 < options.ceiling < 3:
        raise EstimationError("--ceiling takes at least 3 subsets")
    if options.outcome != "correctness" and subject.trials.test_values is None:
        raise EstimationError(
            f"{subject.study.id} keeps no margins: judge with --outcome correctness"
        )
    if options.remove and max(options.remove) > n // 2:
        raise EstimationError(
            f"--remove {max(options.remove)} is more than half of the {n:,} training examples"
        )


def section(result: Judgement, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.judge.section import section

    return section(result)


EXPERIMENT = Experiment(
    Judgement,
    section,
    Command("judge", JudgeOptions, run, trains=True, writes_table=True),
)
