"""What commands that search all pairs share: memory, device and progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console

from cli import formatting
from cli.output import FORMATS, output_option
from cli.progress import progress_bar

if TYPE_CHECKING:
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.estimation.estimator import Estimator
    from memtail_core.estimation.influence import PairCounter
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study


Command = Callable[..., Any]


class _Size(click.ParamType):  # type: ignore[type-arg]
    """``4GB``, ``500 MB``, ``2GiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(TypeAdapter(ByteSize).validate_python(value))
        except ValidationError:
            self.fail(f"'{value}' is no size: write 4GB or 500MB", param, ctx)


_OPTIONS = (
    click.option(
        "--harmful",
        is_flag=True,
        help="List harmful influence, which makes test examples wrong more often.",
    ),
    click.option(
        "--memory",
        type=_Size(),
        help="Use at most this much memory, as 4GB. [default: half of what is free]",
    ),
    click.option("--device", default="auto", show_default=True, help="Count on auto, cpu or cuda."),
    click.option(
        "--format", "format_", type=click.Choice(FORMATS), help="Write all of them in this format."
    ),
    output_option,
)


def pair_search_options(command: Command) -> Command:
    """Give a command the options of all that look at pairs."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class PairSearch:
    """Loads a study, says on stderr how much is searched, and shows the progress."""

    def __init__(
        self, store: "ObjectStore", study: "Study", counter: "PairCounter", memory: int | None
    ) -> None:
        from memtail_core.catalogue.stored import stored_shards
        from memtail_core.estimation.influence import memory_needed, most_pairs
        from memtail_core.running.machine import free_memory

        n_trials = len(stored_shards(store, study)) * study.shard_size
        n, n_test = study.dataset.n_train, study.dataset.n_test
        self._needed = memory_needed(n_trials, n, n_test, counter.threads)
        self._store, self._study, self._engine = store, study, counter
        self.most = most_pairs(memory or free_memory() // 2, self._needed)
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def load(self, estimator: "Estimator | None" = None) -> "LoadedStudy":
        """Load what the study has, and say if some of it is damaged."""
        from memtail_core.analysis.loaded_study import LoadedStudy
        from memtail_core.estimation.counted import COUNTED

        found = LoadedStudy.load(self._store, self._study, estimator=estimator or COUNTED)
        found.trials.check_tested()
        if found.n_damaged:
            self._console.print(
                f"[yellow]Warning:[/] {formatting.count(found.n_damaged, 'damaged shard')} left "
                "out; memtail run trains what is missing"
            )
        return found

    @contextmanager
    def at(self, n_pairs: int) -> Iterator[Callable[[int], None]]:
        """Print how many pairs are to be counted, and draw a bar; yield what advances it."""
        self._console.print(
            f"[dim]{n_pairs:,} pairs, {self._engine.name}, about {formatting.size(self._needed)} "
            f"of memory[/]"
        )
        with progress_bar("counting", n_pairs, "pairs") as count:
            yield count
