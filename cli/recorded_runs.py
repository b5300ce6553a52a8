"""Networks of a study that are trained again and recorded, for what reads their gradients."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cli.progress import progress_bar

if TYPE_CHECKING:
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.approximations import Run, Setting
    from memtail_core.store import ObjectStore


def recorded_runs(setting: "Setting", count: int, *, whole: bool = False) -> "list[Run]":
    """Return the first runs of a study; train what is missing, under a progress bar."""
    from memtail_core.approximations import missing, recorded

    if not missing(setting, count, whole=whole):
        return recorded(setting, count, whole=whole)
    with progress_bar("training", count, "networks") as advance:
        return recorded(setting, count, whole=whole, progress=lambda _: advance(1))


def with_signals(
    material: "LoadedStudy", store: "ObjectStore", count: int, device: str
) -> "LoadedStudy":
    """Add what the study's first models show as they train, for the calibrated estimator.

    Raises:
        EstimationError: fewer models are stored, or no method reads networks of this recipe.
    """
    from memtail_core.approximations import Setting, named, signals_of
    from memtail_core.errors import EstimationError
    from memtail_core.training.device import resolve_device

    if count > (stored := len(material.trials)):
        raise EstimationError(f"--runs {count}: the study has {stored} models stored")
    setting = Setting(store, material.study, material.dataset, resolve_device(device))
    chosen, left_out = named(()).applicable(setting.recipe, setting.dataset)
    if not chosen.trains:
        raise EstimationError(f"--runs records networks as they train: {next(iter(left_out))}")
    found = signals_of(chosen, setting.dataset, recorded_runs(setting, count))
    return replace(material, signals=found)
