"""Studies that grow until a rule is met (``memtail submit --until``): how far, and when they end.

The order has the rules, and the store has everything that was decided: how many models the study is
to have (its goal, which only grows), and why it has enough of them (``experiments/stopping.json``).
Each is a pure function of what is stored. So it does not matter which aggregator decides, how
often, or when one is restarted.
"""

from memtail_core import catalogue
from memtail_core.catalogue import Progress
from memtail_core.experiments.results import kept
from memtail_core.experiments.stopping.looks import looks
from memtail_core.experiments.stopping.result import StoppingHistory
from memtail_core.store import ObjectStore
from memtail_core.study import MOST_TRIALS, Study
from services.orders import Order


def first_goal(study: Study, order: Order, n_stored: int, workers: int) -> int:
    """How many models to train before the rules are first asked.

    Args:
        study, order: what, and until when.
        n_stored: models stored from the first on; the last look at them is not repeated.
        workers: that train it; each gets a shard at least.
    """
    reached = max(_looks(study, n_stored), default=0)
    return reached or next_goal(study, order, 0, workers)


def next_goal(study: Study, order: Order, now: int, workers: int) -> int:
    """How many models to train before the rules are asked again: at one of their looks, at most."""
    most = order.most or MOST_TRIALS
    least = now + max(1, workers) * study.shard_size
    for look in looks(study.shard_size):
        if look >= least or look >= most:
            return min(look, most)
    raise AssertionError("looks have no end")


def is_open(store: ObjectStore, study: Study, order: Order | None, progress: Progress) -> bool:
    """Whether all planned models are stored, and a rule has yet to say if they are enough."""
    if order is None or not order.until or not progress.is_complete:
        return False
    return not any(_ends(each, order, progress) for each in kept(store, study, StoppingHistory))


def grow(store: ObjectStore, study: Study, order: Order, n_planned: int, workers: int) -> int:
    """Let the study grow to the next look; return its goal. Of many calls the largest counts."""
    return catalogue.grow(store, study, next_goal(study, order, n_planned, workers))


def is_at_most(order: Order, n_planned: int) -> bool:
    """Whether the study has as many models as it may grow to."""
    return n_planned >= (order.most or MOST_TRIALS)


def _ends(history: StoppingHistory, order: Order, progress: Progress) -> bool:
    is_of_these = (history.trials, history.conditions) == (progress.n_stored, list(order.until))
    return is_of_these and (history.reason == "enough" or is_at_most(order, progress.n_planned))


def _looks(study: Study, most: int) -> list[int]:
    found: list[int] = []
    for look in looks(study.shard_size):
        if look > most:
            return found
        found.append(look)
    raise AssertionError("looks have no end")
