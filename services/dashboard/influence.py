"""The influence of one example, from the stored trials, which are loaded once and then kept.

One answer of a study is computed at a time, and a request that waits holds no thread. While shards
arrive, the trials are loaded again in the background, seldom enough that this takes a small share
of the time. The answer says how many models it is from.
"""

import asyncio
import json
import logging
import math
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from memtail_core.errors import MemtailError
from memtail_core.store import ObjectStore
from services.dashboard.byte_cache import ByteCache
from services.dashboard.snapshot import StudyView

if TYPE_CHECKING:
    from memtail_core.analysis.loaded_study import LoadedStudy

log = logging.getLogger(__name__)

Of = Literal["train", "test"]

_STUDIES = 3  # whose trials are kept
_ANSWER_BYTES = 16 * 2**20
_AT_ONCE = 500  # requests that may wait
_AGAIN, _SHARE = 5.0, 0.05  # seconds before trials are loaded again, and of the time at most


class BusyError(Exception):
    """Too many requests wait."""


@dataclass(frozen=True)
class Asked:
    """Which example, how many partners, and whether those with negative influence."""

    of: Of
    index: int
    k: int
    harmful: bool


@dataclass(frozen=True, eq=False)
class _Loaded:
    """The trials at one time, and the answers from them."""

    material: "LoadedStudy"
    models: int
    answers: ByteCache[bytes] = field(default_factory=lambda: ByteCache(_ANSWER_BYTES, len))


@dataclass(eq=False)
class _OfStudy:
    """What is loaded of one study, what is being loaded, and the lock of who computes."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    loaded: _Loaded | None = None
    loading: "asyncio.Task[_Loaded] | None" = None
    not_before: float = 0.0


class Influence:
    """Answers for the studies that were asked for last. Use it in one event loop."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._studies: OrderedDict[str, _OfStudy] = OrderedDict()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="trials")
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="influence")
        self._waiting = 0

    async def ask(self, view: StudyView, asked: Asked) -> bytes:
        """The answer as JSON.

        Raises:
            BusyError: too many ask at once.
            EstimationError: the study has no trials, or is an experiment.
        """
        if self._waiting >= _AT_ONCE:
            raise BusyError
        self._waiting += 1
        try:
            study = self._of(view)
            loaded = await self._loaded(study, view)
            if (answer := loaded.answers.get(asked)) is not None:
                return answer
            async with study.turn:
                if (answer := loaded.answers.get(asked)) is None:
                    loop = asyncio.get_running_loop()
                    answer = await loop.run_in_executor(self._threads, _answer, loaded, view, asked)
                    loaded.answers.put(asked, answer)
                return answer
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _of(self, view: StudyView) -> _OfStudy:
        """What there is of the study; of the one that was not asked for longest, nothing more."""
        study = self._studies.pop(view.study.id, None) or _OfStudy()
        self._studies[view.study.id] = study
        while len(self._studies) > _STUDIES:
            self._studies.popitem(last=False)
        return study

    async def _loaded(self, study: _OfStudy, view: StudyView) -> _Loaded:
        """The trials; later ones are loaded when it is time, while those before still answer."""
        now = study.loaded
        if now is not None and (
            now.models == view.status.stored or time.monotonic() < study.not_before
        ):
            return now
        if study.loading is None:
            study.loading = asyncio.create_task(self._load(study, view))
        return await asyncio.shield(study.loading) if now is None else now

    async def _load(self, study: _OfStudy, view: StudyView) -> _Loaded:
        begun, loop = time.monotonic(), asyncio.get_running_loop()
        try:
            loaded = await loop.run_in_executor(self._loader, _load, self._store, view)
            study.loaded = loaded
        except MemtailError as error:
            if study.loaded is None:
                raise
            log.warning("%s: %s", view.study.id, error)
            loaded = study.loaded  # those before still answer
        finally:
            taken = time.monotonic() - begun
            study.not_before = time.monotonic() + max(_AGAIN, taken / _SHARE)
            study.loading = None
        return loaded


def _load(store: ObjectStore, view: StudyView) -> _Loaded:
    """In the loader's thread."""
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.analysis.measuring import estimator_of
    from memtail_core.estimation.measures import CORRECTNESS

    material = LoadedStudy.load(store, view.study, estimator=estimator_of(view.study))
    is_counted = material.estimator.measure is CORRECTNESS
    _ = material.scores, material.evidence if is_counted else material.mean_evidence  # once
    return _Loaded(material, view.status.stored)


def _answer(loaded: _Loaded, view: StudyView, asked: Asked) -> bytes:
    """In a thread of those that compute."""
    from memtail_core.analysis.pair_queries import influence_of_one, why_none
    from memtail_core.estimation.influence import counter_for, memory_needed, most_pairs
    from memtail_core.report import tables
    from memtail_core.running.machine import free_memory

    material = loaded.material
    engine = counter_for("cpu")
    trials = material.trials
    needed = memory_needed(len(trials), trials.n, trials.n_test, engine.threads)
    train, test = (asked.index, None) if asked.of == "train" else (None, asked.index)
    pairs = influence_of_one(
        material,
        train,
        test,
        asked.k,
        counter=engine,
        most=most_pairs(free_memory() // 2, needed),
        harmful=asked.harmful,
    )
    table = tables.pairs_table(pairs, material.dataset, material.scores.memorization)
    rows = [{name: _finite(value) for name, value in row.items()} for row in table.to_pylist()]
    answer = {
        "id": view.study.id,
        "models": len(trials),
        "items": rows,
        "note": None if rows else why_none(material, train, test),
    }
    return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
