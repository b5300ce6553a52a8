"""Influence of one example, from the trials that are stored; they are loaded once, then kept.

One answer of a study is computed at a time, and who waits for it holds no thread. While shards
arrive, the trials are loaded again beside it, seldom enough that loading takes a small share of the
time; the answer says how many models it was made of.
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
from services.dashboard.kept import Kept
from services.dashboard.snapshot import StudySeen

if TYPE_CHECKING:
    from memtail_core.analysis.loaded_study import LoadedStudy

log = logging.getLogger(__name__)

Of = Literal["train", "test"]

_STUDIES = 3  # whose trials are kept
_ANSWER_BYTES = 16 * 2**20
_AT_ONCE = 500  # who may wait for an answer
_AGAIN, _SHARE = 5.0, 0.05  # seconds before trials are loaded again, and of the time at most


class BusyError(Exception):
    """Too many ask at once."""


@dataclass(frozen=True)
class Asked:
    """Which example, how many partners, and whether those that harm."""

    of: Of
    index: int
    k: int
    harmful: bool


@dataclass(frozen=True, eq=False)
class _Loaded:
    """The trials at one time, and what was answered from them."""

    material: "LoadedStudy"
    models: int
    answers: Kept[bytes] = field(default_factory=lambda: Kept(_ANSWER_BYTES, len))


@dataclass(eq=False)
class _OfStudy:
    """What is loaded of one study, whether more is being loaded, and whose turn it is."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    loaded: _Loaded | None = None
    loading: "asyncio.Task[_Loaded] | None" = None
    again_at: float = 0.0


class Influence:
    """Answers for the studies that were asked for last. To be used in one event loop."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._studies: OrderedDict[str, _OfStudy] = OrderedDict()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="trials")
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="influence")
        self._waiting = 0

    async def ask(self, seen: StudySeen, asked: Asked) -> bytes:
        """The answer as JSON.

        Raises:
            BusyError: too many ask at once.
            EstimationError: the study has no trials, or is an experiment.
        """
        if self._waiting >= _AT_ONCE:
            raise BusyError
        self._waiting += 1
        try:
            study = self._of(seen)
            loaded = await self._loaded(study, seen)
            if (kept := loaded.answers.get(asked)) is not None:
                return kept
            async with study.turn:
                if (kept := loaded.answers.get(asked)) is None:
                    loop = asyncio.get_running_loop()
                    kept = await loop.run_in_executor(self._threads, _answer, loaded, seen, asked)
                    loaded.answers.put(asked, kept)
                return kept
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _of(self, seen: StudySeen) -> _OfStudy:
        """What there is of the study; of the one that was not asked for longest, nothing more."""
        found = self._studies.pop(seen.study.id, None) or _OfStudy()
        self._studies[seen.study.id] = found
        while len(self._studies) > _STUDIES:
            self._studies.popitem(last=False)
        return found

    async def _loaded(self, study: _OfStudy, seen: StudySeen) -> _Loaded:
        """The trials; later ones are loaded when it is time, while those before still answer."""
        now = study.loaded
        if now is not None and (now.models == seen.stored or time.monotonic() < study.again_at):
            return now
        if study.loading is None:
            study.loading = asyncio.create_task(self._load(study, seen))
        return await asyncio.shield(study.loading) if now is None else now

    async def _load(self, study: _OfStudy, seen: StudySeen) -> _Loaded:
        begun, loop = time.monotonic(), asyncio.get_running_loop()
        try:
            loaded = await loop.run_in_executor(self._loader, _load, self._store, seen)
            study.loaded = loaded
        except MemtailError as error:
            if study.loaded is None:
                raise
            log.warning("%s: %s", seen.study.id, error)
            loaded = study.loaded  # those before still answer
        finally:
            taken = time.monotonic() - begun
            study.again_at = time.monotonic() + max(_AGAIN, taken / _SHARE)
            study.loading = None
        return loaded


def _load(store: ObjectStore, seen: StudySeen) -> _Loaded:
    """In the loader's thread."""
    from memtail_core.analysis.loaded_study import LoadedStudy

    material = LoadedStudy.load(store, seen.study)
    _ = material.scores, material.evidence  # which take their time once
    return _Loaded(material, seen.stored)


def _answer(loaded: _Loaded, seen: StudySeen, asked: Asked) -> bytes:
    """In a thread of those that compute."""
    from memtail_core.analysis.pair_queries import influence_of_one, why_none
    from memtail_core.estimation.influence import counter_for, memory_needed, most_pairs
    from memtail_core.report import tables
    from memtail_core.running.parallelism import free_memory

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
        "id": seen.study.id,
        "models": len(trials),
        "items": rows,
        "note": None if rows else why_none(material, train, test),
    }
    return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
