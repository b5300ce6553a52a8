"""The options of an experiment become those of a command, with their bounds and help."""

from collections.abc import Callable
from typing import Annotated, Any

import click
import pytest
from click.testing import CliRunner
from pydantic import Field

from cli.experiment_options import options_of
from memtail_core.experiments.experiment import Options, Share, Threshold


class Every(Options):
    """An option of every type."""

    thresholds: tuple[Threshold, ...] = Field((0.1, 0.25), description="Cut here.")
    shares: tuple[Share, ...] = Field((0.5,), description="Of the set.")
    counts: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="So many.")
    known: str | None = Field(None, description="Read this.")
    repeats: int = Field(5, ge=2, le=10, description="Do it so often.")
    min_influence: Threshold = Field(0.15, description="At least.")
    l2: float = Field(1e-3, gt=0, description="Penalty.")
    every_layer: bool = Field(False, description="All of them.")


@pytest.fixture
def call() -> Callable[..., Any]:
    """What the options given become; the message if they are refused."""

    def run(**given: Any) -> None:
        made.append(Every(**given))

    made: list[Every] = []
    command: Any = run
    for option in reversed(list(options_of(Every))):
        command = option(command)
    made_command = click.command(command)

    def call(*arguments: str) -> Every | str:
        result = CliRunner().invoke(made_command, arguments)
        return result.output if "--help" in arguments or result.exit_code else made[-1]

    return call


def test_defaults_are_those_of_the_model(call: Callable[..., Any]) -> None:
    assert call() == Every()


def test_every_type_is_read(call: Callable[..., Any]) -> None:
    given = call(
        *("--thresholds", "0.5, 0.1,0.5", "--shares", "0.9,0.1", "--repeats", "10"),
        *("--counts", "50,10", "--known", "a.txt"),
        *("--min-influence", "-1", "--l2", "2", "--every-layer"),
    )
    assert given == Every(
        thresholds=(0.1, 0.5), shares=(0.1, 0.9), counts=(10, 50), known="a.txt",
        repeats=10, min_influence=-1, l2=2,
        every_layer=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--thresholds", "a,b"),
        ("--thresholds", ","),
        ("--thresholds", "0.1,1.1"),
        ("--thresholds", "nan"),
        ("--shares", "0"),
        ("--shares", "0.5,1"),
        ("--counts", "0"),
        ("--counts", "1.5"),
        ("--repeats", "1"),
        ("--repeats", "11"),
        ("--min-influence", "nan"),
        ("--l2", "0"),
        ("--l2", "nan"),
    ],
)
def test_what_is_out_of_bounds_is_refused(
    call: Callable[..., Any], option: str, value: str
) -> None:
    message = call(option, value)
    assert f"Invalid value for '{option}'" in message


def test_the_help_has_descriptions_and_defaults(call: Callable[..., Any]) -> None:
    text = " ".join(call("--help").split())
    assert "Cut here. [default: 0.1,0.25]" in text
    assert "--counts NUMBERS So many. --known FILE Read this. --repeats" in text
    assert "Do it so often. [default: 5; 2<=x<=10]" in text
    assert "--every-layer All of them." in text


def test_a_type_that_no_command_can_take_is_refused() -> None:
    class Wrong(Options):
        names: dict[str, int] = Field({}, description="No.")

    with pytest.raises(TypeError, match="the option names has a type"):
        list(options_of(Wrong))
