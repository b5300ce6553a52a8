"""What an experiment is: a result, a section of the report and, if it has one, a command.

A command is described here without any command-line library: its options are a pydantic model, and
what it may ask of the program that runs it is the protocol ``Host``. The folders of experiments
import what is slow (torch, charts) only within their functions, so that listing commands is quick.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from memtail_core.experiments.results import Result

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.document import Document
    from memtail_core.drawing.section import Section
    from memtail_core.estimation.estimator import Estimator
    from memtail_core.running.trials import Trials
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study

ProgressCallback = Callable[[int], None]
"""Called with the number of units that are done since the last call."""
Threshold = Annotated[float, Field(ge=-1, le=1)]
"""Of memorization, or of influence."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""Of the training set."""


@dataclass(frozen=True)
class OneOf:
    """Marks the words of which an option takes one or more."""

    words: tuple[str, ...]


class Options(BaseModel):
    """Base of the options of a command.

    Each field is one option: ``min_influence`` is ``--min-influence``, its description is the help
    text, its bounds are checked. Types: bool, int, float, Literal of words, tuples of numbers,
    tuples of words that :class:`OneOf` lists, and ``str | None`` for a file, or for what the title
    of the field says. A tuple of any words takes what follows STUDY on the command line, one or
    more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, eq=False)
class Subject:
    """A study that an experiment is about.

    Attributes:
        store: where it is kept.
        study, dataset: the study and its data.
        trials: all that are stored.
    """

    store: "ObjectStore"
    study: "Study"
    dataset: "Dataset"
    trials: "Trials"


class Host(Protocol):
    """What an experiment may ask of the program that runs it."""

    @property
    def device(self) -> str:
        """``cpu``, ``cuda`` or ``auto``."""

    @property
    def is_dry_run(self) -> bool:
        """Whether to say what would be trained, and to do nothing."""

    @property
    def estimator(self) -> "Estimator":
        """The estimator of memorization that the user chooses."""

    def subjects(self, *, margins: bool = False, unfinished: bool = False) -> Sequence[Subject]:
        """Read the studies that the user names.

        Args:
            margins: read margins too, where the study has them.
            unfinished: whether some of their trials may be missing.

        Raises:
            EstimationError: a study is unfinished and must not be.
        """

    def train(
        self, store: "ObjectStore", study: "Study", dataset: "Dataset", trials: int
    ) -> "Trials | None":
        """Train what is missing of a study, up to ``trials`` trials.

        Returns:
            All its trials; None in a dry run, which only says what is missing.
        """

    def train_all(
        self, store: "ObjectStore", studies: "Sequence[tuple[Study, Dataset]]", trials: int
    ) -> "list[Trials] | None":
        """Train what is missing of several studies, of each up to ``trials`` trials.

        Returns:
            All trials of each; None in a dry run.
        """

    def say_plan(self, plan: dict[str, Any], sentence: str) -> None:
        """Say in a dry run what would be trained: as JSON, or as a sentence."""

    def progress(
        self, task: str, total: int, unit: str
    ) -> AbstractContextManager[ProgressCallback]:
        """Show a progress bar of ``total`` units, as ``comparisons``."""

    def status(self, task: str) -> AbstractContextManager[object]:
        """Show that work of unknown length is under way."""


O = TypeVar("O", bound=Options)  # noqa: E741
R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Command(Generic[O]):
    """A command that runs an experiment.

    Attributes:
        name: what the user types after ``memtail``.
        options: its options.
        run: yields the results, one for each study or comparison, none in a dry run. Its docstring
            is the help text of the command.
        trains: whether it trains networks, and so takes ``--workers``, ``--device``, ``--submit``
            and ``--dry-run``.
        takes_device: whether it computes on the GPU without training, and so takes ``--device``.
        takes_estimator: whether its results hold with any estimator of memorization, which
            ``--estimator`` then names; all other commands count.
        only_counts: why its results hold for counting alone, as a sentence that ``--estimator``
            answers with; empty if it takes others, or if nobody would ask.
        writes_table: whether the table of its section can be written to a file (``--output``).
        takes_several: whether it takes several studies instead of one.
        failure: says, given the options and a result, why a check that the user asked for fails;
            the command then exits with 1.
    """

    name: str
    options: type[O]
    run: Callable[[Host, O], Iterable[Result]]
    trains: bool = False
    takes_device: bool = False
    takes_estimator: bool = False
    only_counts: str = ""
    writes_table: bool = False
    takes_several: bool = False
    failure: Callable[[O, Any], str | None] = lambda options, result: None


@dataclass(frozen=True)
class Experiment(Generic[R]):
    """One experiment.

    Attributes:
        result: the class of its results.
        section: makes the section of the report from a result and the study's data.
        command: what runs it; None if something else makes its results.
        document: makes a page of its own from a result, which ``--page`` then writes; None if it
            has none.
    """

    result: type[R]
    section: "Callable[[R, Dataset], Section]"
    command: Command[Any] | None = None
    document: "Callable[[R, Study, Dataset], Document] | None" = None
