"""How many trials a study is to have: the largest number that anyone asked for.

Each number asked for is an object of its own, ``studies/<id>/goals/0000060``. Of two people who
grow a study at once neither overwrites the other, on any store: the larger number counts.
``goal.json`` has the number too; versions before 0.2 read and wrote only that.
"""

import json
import re

from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import StoreError
from memtail_core.store import ObjectStore
from memtail_core.store.document import document
from memtail_core.study import MOST_TRIALS, Study

_NUMBER = re.compile(r"\d{7}")


def goal(store: ObjectStore, study: Study) -> int:
    """The number of trials wanted, 0 where none was registered.

    Raises:
        StoreError: ``goal.json`` is damaged.
    """
    return max(_of_file(store, study), *_asked(store, study), 0)


def grow(store: ObjectStore, study: Study, trials: int) -> int:
    """Ask for ``trials`` trials, or as many as are stored; return the goal, which never falls.

    Of many who call this at once the largest number counts.
    """
    # As many as there are, and not up to the last: one name of a shard could say any number.
    n_stored = len(stored_shards(store, study)) * study.shard_size
    wanted, before = max(trials, n_stored, 1), goal(store, study)
    if wanted <= before:
        return before
    store.put(_key(study, wanted), b"")
    store.put(_file(study), _content(wanted))
    for number in _asked(store, study):
        if number < wanted:
            store.delete(_key(study, number))
    return goal(store, study)


def shrink(store: ObjectStore, study: Study, trials: int) -> int:
    """Ask for no more than ``trials`` trials, or as many as are stored; return the goal.

    Call it only where the user says in so many words that the study is to shrink. Whoever grows the
    study at the same time may prevail.
    """
    wanted = max(trials, *(shard.last for shard in stored_shards(store, study)), 1)
    if wanted >= goal(store, study):
        return grow(store, study, trials)
    store.put(_key(study, wanted), b"")
    store.put(_file(study), _content(wanted))
    for number in _asked(store, study):
        if number != wanted:
            store.delete(_key(study, number))
    return goal(store, study)


def take_back(store: ObjectStore, study: Study, asked: int, before: int, trials: int) -> None:
    """Lower the goal to ``trials``, for a run that asked for ``asked`` and ended early.

    The goal stays at what it was ``before`` the run, and where another number was asked for since.
    """
    if asked > before and goal(store, study) == asked:
        shrink(store, study, max(trials, before))


def _of_file(store: ObjectStore, study: Study) -> int:
    """The number in ``goal.json``; 0 if there is none."""
    key = _file(study)
    try:
        content = store.get(key)
    except KeyError:
        return 0
    try:
        trials = int(document(content)["trials"])
        if 0 < trials <= MOST_TRIALS:
            return trials
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        pass
    raise StoreError(
        f"{store.location}/{key} is damaged: delete it, and give --trials when you run it again"
    )


def _asked(store: ObjectStore, study: Study) -> list[int]:
    """The numbers that have an object."""
    names = (key.rpartition("/")[2] for key in store.list(f"{study.prefix}goals/"))
    numbers = (int(name) for name in names if _NUMBER.fullmatch(name))
    return [number for number in numbers if 0 < number <= MOST_TRIALS]


def _content(trials: int) -> bytes:
    return json.dumps({"trials": trials}).encode()


def _file(study: Study) -> str:
    return f"{study.prefix}goal.json"


def _key(study: Study, trials: int) -> str:
    return f"{study.prefix}goals/{trials:07d}"
