"""Train networks of a study while recording their outputs, and store these: no run trains twice.

Run k trains trial k of the study, on its subset and from its seed, or else a network on all
examples. Its record is stored as ``studies/<id>/signals/0000000.npz``, or ``whole-0000000.npz``;
parts that are computed later from its networks are stored beside it.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.curves import CurveRecorder, Curves
from memtail_core.approximations.run import CURVES, TRAINING, Networks, Run, Setting
from memtail_core.errors import DamagedError, EstimationError
from memtail_core.plan import designs
from memtail_core.running import tuning
from memtail_core.store.archive import Arrays, packed, unpacked
from memtail_core.study import Study, SubsetsTable
from memtail_core.training.device import compute_reproducibly, use_one_core
from memtail_core.training.gradient.engine import GradientEngine
from memtail_core.training.gradient.representation import ends_linear

_STATE = "state"

Progress = Callable[[int], None]  # called with the number of finished runs


def missing(setting: Setting, count: int, *, whole: bool = False) -> list[int]:
    """Which of the first ``count`` runs :func:`recorded` would train."""
    return [k for k in range(count) if _read(setting, _key(setting.study, k, whole)) is None]


def recorded(
    setting: Setting, count: int, *, whole: bool = False, progress: Progress | None = None
) -> list[Run]:
    """Return the first ``count`` runs of a study; train those that are not stored.

    Args:
        setting: the study; its recipe must train networks.
        count: how many.
        whole: whether they train on all examples instead of the subsets of the study's trials.
        progress: called after each run.

    Raises:
        EstimationError: the study belongs to an experiment.
        TrainingError: a network diverged, or memory ran out.
    """
    if not isinstance(setting.study.subsets, SubsetsTable):
        raise EstimationError(
            f"{setting.study.id} belongs to an experiment: approximate the study it was made from"
        )
    use_one_core()
    compute_reproducibly()
    runs, engine = [], None
    for number in range(count):
        key = _key(setting.study, number, whole)
        run = _read(setting, key)
        if run is None:
            engine = engine or _engine(setting)
            arrays = _trained(setting, engine, number, whole)
            setting.store.put(f"{key}.npz", packed(arrays))
            run = _run(setting, key, arrays)
        runs.append(run)
        if progress is not None:
            progress(len(runs))
    return runs


def _engine(setting: Setting) -> GradientEngine:
    how = tuning.settled(setting.store, setting.study, setting.dataset, setting.device)
    return setting.networks.engine(setting.device, how)


def _trained(setting: Setting, engine: GradientEngine, number: int, whole: bool) -> Arrays:
    study, dataset, recipe = setting.study, setting.dataset, setting.networks
    if whole:
        subset = np.ones((1, study.dataset.n_train), np.bool_)
        seeds = np.array([designs.whole_seed(study, number)], np.int64)
    else:
        trials = range(number, number + 1)
        subset, seeds = designs.subsets(study, trials), designs.training_seeds(study, trials)
    recorder = CurveRecorder(recipe, ends_linear=ends_linear(recipe, dataset))
    start = time.perf_counter()
    with engine.reporting_out_of_memory():
        engine.train_stack(dataset, subset, seeds, recorder)
    seconds = time.perf_counter() - start
    states = {
        f"{_STATE}:{k}:{name}": array
        for k, state in enumerate(recorder.states)
        for name, array in state.items()
    }
    return {
        **recorder.curves().arrays(),
        **states,
        "subset": np.packbits(subset[0]),
        "seconds": np.array([seconds - recorder.seconds, recorder.seconds]),
    }


def _read(setting: Setting, key: str) -> Run | None:
    """The stored run; None if it is missing or damaged: it is trained again then."""
    with suppress(KeyError, DamagedError):
        return _run(setting, key, unpacked(setting.store.get(f"{key}.npz")))
    return None


def _run(setting: Setting, key: str, arrays: Arrays) -> Run:
    subset: NDArray[np.bool_] = np.unpackbits(
        arrays["subset"], count=setting.study.dataset.n_train
    ).astype(bool)
    training, recording = arrays["seconds"].tolist()
    return Run(
        subset=subset,
        curves=Curves.of(arrays),
        networks=Networks(setting, tuple(_states(arrays))),
        key=key,
        seconds={TRAINING: training, CURVES: recording},
    )


def _states(arrays: Arrays) -> Iterable[Arrays]:
    states: dict[int, Arrays] = {}
    for key, array in arrays.items():
        if key.startswith(f"{_STATE}:"):
            _, number, name = key.split(":", 2)
            states.setdefault(int(number), {})[name] = array
    return (states[number] for number in sorted(states))


def _key(study: Study, number: int, whole: bool) -> str:
    return f"{study.prefix}signals/{'whole-' if whole else ''}{number:07d}"
