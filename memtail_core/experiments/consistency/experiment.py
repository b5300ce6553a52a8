"""``memtail consistency``: its options, and what it trains and computes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from memtail_core.experiments.consistency.result import RATIOS, Consistency
from memtail_core.experiments.experiment import Command, Experiment, Host, Options, Share
from memtail_core.study import MOST_TRIALS

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


class ConsistencyOptions(Options):
    """The options of the command."""

    ratios: tuple[Share, ...] = Field(RATIOS, description="Train on these shares.")
    trials: int = Field(
        100, ge=1, le=MOST_TRIALS, description="Train this many models of each ratio."
    )


def run(host: Host, options: ConsistencyOptions) -> Iterator[Consistency]:
    """Compute consistency scores (C-scores) of all examples.

    Trains models like those of STUDY on other shares of the training set and counts how often they
    classify held-out examples correctly. The mean over the shares is the C-score of Jiang et al.
    The models are stored, so that nothing is trained twice. --output scores.csv has one row per
    example.
    """
    from memtail_core.experiments.consistency.plan import analyse, study_at

    (subject,) = host.subjects()
    study, dataset = subject.study, subject.dataset
    studies = [study_at(study, ratio) for ratio in options.ratios]
    others = [(each, dataset) for each in studies if each.id != study.id]
    trained = host.train_all(subject.store, others, options.trials)
    if trained is not None:
        of = {each.id: trials for (each, _), trials in zip(others, trained, strict=True)}
        of[study.id] = subject.trials
        yield analyse(study, subject.trials, [(each, of[each.id]) for each in studies])


def section(result: Consistency, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.consistency.section import section

    return section(result, dataset)


EXPERIMENT = Experiment(
    Consistency,
    section,
    Command("consistency", ConsistencyOptions, run, trains=True, writes_table=True),
)
