"""What several charts share: log axes and their ticks, a legend, long names made short."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

LEAST = 0.7  # where a log axis of counts begins: below 1, so that a single example has a bar
_LONGEST = 24


def count_axis(field: str, title: str, largest: float) -> alt.Y:
    """Return a log axis of counts, from below 1 to ``largest``."""
    top = max(10.0, 1.25 * largest)
    scale = alt.Scale(type="log", domain=[LEAST, top], nice=False)
    return alt.Y(
        field,
        scale=scale,
        title=title,
        axis=alt.Axis(values=ticks(1, top), tickCount=10, format=",d"),
    )


def ticks(low: float, high: float) -> list[float]:
    """Return ticks of a log axis: 1, 2, 5, 10, … over less than two decades, else powers of ten."""
    steps = (1, 2, 5) if high / low < 100 else (1,)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    every = [step * 10.0**power for power in powers for step in steps]
    return [each for each in every if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]


def coloured(
    field: str, colours: Mapping[str, str], columns: int = 1, symbol: str = "square"
) -> alt.Color:
    """Colour each value of a field, with a legend above the plot."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(field, scale=scale, legend=alt.Legend(columns=columns, symbolType=symbol))


def shortened(names: Sequence[str], longest: int = _LONGEST) -> list[str]:
    """Cut names to one line of at most ``longest`` characters; number those that become equal."""
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
