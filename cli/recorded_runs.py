"""Networks of a study that are trained again and recorded, for what reads their gradients."""

from typing import TYPE_CHECKING

from cli.progress import progress_bar

if TYPE_CHECKING:
    from memtail_core.approximations import Run, Setting
    from memtail_core.estimation.estimator import Signals


def recorded_runs(setting: "Setting", count: int, *, whole: bool = False) -> "list[Run]":
    """Return the first runs of a study; train what is missing, under a progress bar."""
    from memtail_core.approximations import missing, recorded

    if not missing(setting, count, whole=whole):
        return recorded(setting, count, whole=whole)
    with progress_bar("training", count, "networks") as advance:
        return recorded(setting, count, whole=whole, progress=lambda _: advance(1))


def recorded_signals(setting: "Setting", count: int) -> "Signals":
    """What the first runs of a study tell the calibrated estimator.

    Raises:
        EstimationError: no method reads networks of this recipe.
    """
    from memtail_core.approximations import named, signals_of
    from memtail_core.errors import EstimationError

    chosen, left_out = named(()).applicable(setting.recipe, setting.dataset)
    if not chosen.trains:
        raise EstimationError(f"--runs records networks as they train: {next(iter(left_out))}")
    return signals_of(chosen, setting.dataset, recorded_runs(setting, count))
