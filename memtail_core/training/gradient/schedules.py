"""What changes over a training: the learning rate of each step, the pixels of each epoch."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from math import ceil
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator

Points = tuple[tuple[float, float], ...]

_NAMED: dict[str, Points] = {
    "constant": ((0.0, 1.0), (1.0, 1.0)),
    "one-cycle": ((0.0, 0.0), (0.15, 1.0), (1.0, 0.0)),
}
_SMALL_UNTIL, _WHOLE_FROM = 0.7, 0.85  # of the epochs, as FFCV's 16-epoch ResNet-50, nearly
_PIXELS = 16  # by which images grow


def _checked(value: object) -> str | Points:
    """A named schedule, or points.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str) and value in _NAMED:
        return value
    try:
        points = tuple((_number(at), _number(share)) for at, share in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise ValueError(
            "should be 'constant', 'one-cycle', or points such as [[0, 0], [0.15, 1], [1, 0]]"
        ) from error
    at = [each for each, _ in points]
    if len(at) < 2 or (at[0], at[-1]) != (0, 1) or any(b <= a for a, b in pairwise(at)):
        raise ValueError("the first numbers of the points should rise from 0 to 1")
    if min(share for _, share in points) < 0 or not any(share for _, share in points):
        raise ValueError("the second numbers of the points should be at least 0, and not all 0")
    return points


def _number(value: object) -> float:
    if type(value) not in (int, float):
        raise TypeError
    return float(value)  # type: ignore[arg-type]


Schedule = Annotated[str | Points, BeforeValidator(_checked)]


def rates(schedule: str | Points, peak: float, steps: int) -> list[float]:
    """The learning rate in the middle of each step: linear between the points of the schedule.

    Args:
        schedule: its name, or points: the share of the training, and the share of ``peak`` there.
        peak: the learning rate that is scaled.
        steps: how many there are.
    """
    points = _NAMED[schedule] if isinstance(schedule, str) else schedule
    at, shares = zip(*points, strict=True)
    middles = (np.arange(steps) + 0.5) / steps
    each: list[float] = (peak * np.interp(middles, at, shares)).tolist()
    return each


def growing_sides(first: int, last: int, epochs: int) -> list[int]:
    """The pixels of a side in each epoch: ``first`` in 70% of them, ``last`` in the last 15%.

    Between, it grows by 16 pixels at a time. Small images teach what is coarse at a fraction of the
    arithmetic; the last epochs see what is evaluated (Leclerc et al., "FFCV", CVPR 2023).
    """
    at = np.linspace(0, 1, epochs) if epochs > 1 else np.ones(1)
    grown = np.interp(at, [_SMALL_UNTIL, _WHOLE_FROM], [0, last - first])
    return [min(last, first + _PIXELS * ceil(round(each / _PIXELS, 6))) for each in grown]


def in_words(sides: Sequence[int]) -> str:
    """``96 in epochs 1 to 11, 112 in epoch 12, 128 in epochs 13 to 16``."""
    said, epoch = [], 0
    for side, same in groupby(sides):
        start, epoch = epoch + 1, epoch + len(list(same))
        epochs = f"epoch {epoch}" if epoch == start else f"epochs {start} to {epoch}"
        said.append(f"{side} in {epochs}")
    return ", ".join(said)
