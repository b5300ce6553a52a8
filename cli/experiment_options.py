"""The options of an experiment as those of a command: from a pydantic model to click."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

import annotated_types
import click
from pydantic.fields import FieldInfo

from memtail_core.experiments.experiment import Options

_MOST_SHOWN = 6  # numbers of a default


class Number(click.FloatRange):
    """A number within bounds; click itself lets NaN pass."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse and check."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("nan is not a number", param, ctx)
        return number


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Numbers within bounds, separated by commas; they become ascending, each once."""

    name = "numbers"

    def __init__(self, number: click.ParamType) -> None:  # type: ignore[type-arg]
        self._number = number

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...] | tuple[int, ...]:
        """Parse and check."""
        if isinstance(value, tuple):
            return value
        parts = [part for part in str(value).split(",") if part.strip()]
        if not parts:
            self.fail(f"'{value}' is not a list of numbers: write 0.1,0.25,0.5", param, ctx)
        return tuple(sorted({self._number.convert(part, param, ctx) for part in parts}))


def options_of(model: type[Options]) -> Iterator[Callable[..., Any]]:
    """Yield a click option for each field of a model, in its order; an argument for words.

    Raises:
        TypeError: a field has a type that no command can take.
    """
    for name, field in model.model_fields.items():
        if field.annotation == tuple[str, ...]:
            yield click.argument(name, metavar=f"{name.upper()} …", nargs=-1, required=True)
            continue
        yield click.option(f"--{name.replace('_', '-')}", name, **_settings(name, field))


def _settings(name: str, field: FieldInfo) -> dict[str, Any]:
    bounds, default, description = _bounds(field.metadata), field.default, field.description
    if field.annotation in (int | None, str | None):
        of_file = field.annotation == str | None
        kind = {"metavar": "FILE"} if of_file else {"type": click.IntRange(**bounds)}
        return {**kind, "help": description}
    if field.annotation is bool:
        return {"is_flag": True, "help": description}
    settings = {"default": default, "show_default": True, "help": description}
    if field.annotation is int:
        return settings | {"type": click.IntRange(**bounds)}
    if field.annotation is float:
        return settings | {"type": Number(**bounds)}
    if get_origin(field.annotation) is Literal:
        return settings | {"type": click.Choice(get_args(field.annotation))}
    if get_origin(field.annotation) is tuple:
        number, *bounded = get_args(get_args(field.annotation)[0])
        if number in (int, float):
            bounds = _bounds([each for info in bounded for each in info.metadata])
            numbers = [f"{each:g}" for each in default]
            is_long = len(numbers) > _MOST_SHOWN
            return {
                "default": ",".join(numbers) or (),
                "show_default": f"{numbers[0]} … {numbers[-1]}" if is_long else bool(numbers),
                "type": Numbers((Number if number is float else click.IntRange)(**bounds)),
                "help": description,
            }
    raise TypeError(f"the option {name} has a type that no command can take: {field.annotation}")


def _bounds(metadata: list[Any]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for each in metadata:
        match each:
            case annotated_types.Ge(ge=low):
                bounds["min"] = low
            case annotated_types.Gt(gt=low):
                bounds |= {"min": low, "min_open": True}
            case annotated_types.Le(le=high):
                bounds["max"] = high
            case annotated_types.Lt(lt=high):
                bounds |= {"max": high, "max_open": True}
    return bounds
