"""The options of an experiment as those of a command: from a pydantic model to click."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

import annotated_types
import click
from pydantic.fields import FieldInfo

from memtail_core.experiments.experiment import OneOf, Options

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


class Words(click.ParamType):  # type: ignore[type-arg]
    """Words of a list, separated by commas; they come in the order of the list, each once."""

    name = "words"

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Parse and check."""
        if isinstance(value, tuple):
            return value
        given = {part.strip() for part in str(value).split(",")}
        for word in sorted(given - set(self._words)):
            self.fail(f"'{word}' is none of {', '.join(self._words)}", param, ctx)
        return tuple(word for word in self._words if word in given)


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
    if field.annotation in _OPTIONAL:
        named = {"metavar": field.title} if field.title else {}
        return {**_OPTIONAL[field.annotation](bounds), **named, "help": description}
    if field.annotation is bool:
        return {"is_flag": True, "help": description}
    settings = {"default": default, "show_default": True, "help": description}
    if field.annotation in (int, float):
        of = click.IntRange if field.annotation is int else Number
        return settings | {"type": of(**bounds)}
    if get_origin(field.annotation) is Literal:
        return settings | {"type": click.Choice(get_args(field.annotation))}
    if get_origin(field.annotation) is tuple:
        (inner, *_) = get_args(field.annotation)
        element, *marks = get_args(inner)
        if marks and isinstance(marks[0], OneOf):
            return settings | _of_words(default, marks[0].words)
        if element in (int, float):
            return settings | _of_numbers(default, element, marks)
    raise TypeError(f"the option {name} has a type that no command can take: {field.annotation}")


def _of_words(default: tuple[str, ...], words: tuple[str, ...]) -> dict[str, Any]:
    shown = "all" if default == words else ",".join(default)
    return {"type": Words(words), "show_default": shown}


def _of_numbers(default: tuple[float, ...], element: type, marks: list[Any]) -> dict[str, Any]:
    bounds = _bounds([each for info in marks for each in info.metadata])
    numbers = [f"{each:g}" for each in default]
    is_long = len(numbers) > _MOST_SHOWN
    return {
        "default": ",".join(numbers) or (),
        "show_default": f"{numbers[0]} … {numbers[-1]}" if is_long else bool(numbers),
        "type": Numbers((Number if element is float else click.IntRange)(**bounds)),
    }


_OPTIONAL: dict[Any, Callable[[dict[str, Any]], dict[str, Any]]] = {
    str | None: lambda bounds: {"metavar": "FILE"},
    int | None: lambda bounds: {"type": click.IntRange(**bounds)},
    float | None: lambda bounds: {"type": Number(**bounds)},
}


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
