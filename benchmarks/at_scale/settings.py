"""The options, data and output that the subcommands of ``influence.py`` share."""

import functools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.at_scale.data import Sizes, make
from benchmarks.at_scale.limits import Limits
from benchmarks.at_scale.sides import Answer, Question
from benchmarks.table import show
from memtail_core.training.device import machine_kind, resolve_device

_SMALL = Sizes(train=300, test=200, trials=64, classes=4)
THETA = 0.15  # the paper's
Command = Callable[..., None]


@dataclass(frozen=True)
class Setting:
    """The options of a subcommand.

    Attributes:
        sizes: of the data; bins: of the histogram; device: memtail's; as_json: how to print.
    """

    sizes: Sizes
    bins: int
    device: str
    as_json: bool

    @contextmanager
    def data(self, *several: Sizes) -> Iterator[list[Question]]:
        """Write data of the given sizes; yield a question about every pair of each."""
        with tempfile.TemporaryDirectory(prefix="memtail-benchmark-") as name:
            small = make(Path(name) / "small", _SMALL)
            yield [
                Question(
                    folder=make(Path(name) / str(number), sizes),
                    small=small,
                    rule=False,
                    theta=THETA,
                    fdr=None,
                    bins=self.bins,
                    device=self.device,
                )
                for number, sizes in enumerate(several or [self.sizes])
            ]

    def show(self, measured: dict[str, Any]) -> None:
        """Print a measurement, and the machine."""
        show({**measured, "machine": machine_kind(self.device)}, self.as_json)


def shared(sizes: Sizes, bins: int = 200) -> Callable[[Command], Command]:
    """Give a command the shared options as one :class:`Setting`, with these defaults."""
    options = [
        click.option("--train", default=sizes.train, show_default=True, help="Training examples."),
        click.option("--test", default=sizes.test, show_default=True, help="Test examples."),
        click.option("--trials", default=sizes.trials, show_default=True),
        click.option("--classes", default=sizes.classes, show_default=True),
        click.option("--bins", default=bins, show_default=True, help="Of the histogram."),
        click.option("--device", default="auto", show_default=True, help="Of ours."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    ]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_setting(
            train: int,
            test: int,
            trials: int,
            classes: int,
            bins: int,
            device: str,
            as_json: bool,
            **others: Any,
        ) -> None:
            asked = Sizes(train, test, trials, classes)
            command(Setting(asked, bins, resolve_device(device), as_json), **others)

        for option in reversed(options):
            option(with_setting)
        return with_setting

    return decorate


def by_phase(whose: str, answers: list[Answer]) -> dict[str, float]:
    """Report the peak bytes and the median seconds of cores, of each phase and of warming up."""
    seconds = {
        f"{whose}_{phase}_seconds": median(answer.seconds[phase] for answer in answers)
        for phase in answers[0].seconds
    }
    return {
        f"{whose}_peak_bytes": max(answer.peak_bytes for answer in answers),
        f"{whose}_cpu_seconds": median(answer.cpu for answer in answers),
        **seconds,
        f"{whose}_warm_up_seconds": median(answer.warm_up for answer in answers),
    }


def found(answers: list[Answer], trials: int, limit: Limits) -> dict[str, Any]:
    """Report what was found and how fast, also as fractions of the limits of the machine."""
    first, seconds = answers[0], median(answer.total for answer in answers)
    done = first.tested * trials / seconds
    return {
        "pairs_tested": first.tested,
        "pairs_found": len(first.train),
        "pairs_per_second": first.tested / seconds,
        "multiply_adds_per_second": done,
        "of_int8_peak": done / limit.int8,
        "of_float32_peak": done / limit.float32,
        "of_bits_peak": done / limit.bits,
    }
