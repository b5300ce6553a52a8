"""What several charts share: an axis of counts, a legend, the words of a long name."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

LEAST = 0.7  # where bars of a log axis begin: a single example is a bar too
_LONGEST = 24


def counts(field: str, title: str, largest: float) -> alt.Y:
    """A log axis of counts, from below one to the largest."""
    top = max(10.0, 1.25 * largest)
    scale = alt.Scale(type="log", domain=[LEAST, top], nice=False)
    return alt.Y(
        field,
        scale=scale,
        title=title,
        axis=alt.Axis(values=ticks(1, top), tickCount=10, format=",d"),
    )


def ticks(low: float, high: float) -> list[float]:
    """Ticks of a log axis: 1, 2, 5, 10, … over less than two decades, else powers of ten."""
    steps = (1, 2, 5) if high / low < 100 else (1,)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    every = [step * 10.0**power for power in powers for step in steps]
    return [each for each in every if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]


def coloured(
    field: str, colours: Mapping[str, str], columns: int = 1, symbol: str = "square"
) -> alt.Color:
    """A colour for each value of a field, and a legend above the plot."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(field, scale=scale, legend=alt.Legend(columns=columns, symbolType=symbol))


def shortened(names: Sequence[str], longest: int = _LONGEST) -> list[str]:
    """Names of one line each, at most so long; those that become the same are numbered."""
    lines = [" ".join(name.split()) for name in names]
    made: list[str] = []
    for line in lines:
        short, number = _cut(line, longest), 1
        while short in made:
            number += 1
            short = f"{_cut(line, longest - len(f' ({number})'))} ({number})"
        made.append(short)
    return made


def _cut(line: str, longest: int) -> str:
    return line if len(line) <= longest else line[: longest - 1] + "…"
