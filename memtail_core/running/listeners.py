"""Who follows a run: a listener, told of its progress, and a stopping rule, which may end it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from memtail_core.plan.shards import Shard
from memtail_core.running.loading import Damaged
from memtail_core.running.shard_training import TrainedShard
from memtail_core.running.trials import Trials
from memtail_core.running.under_way import UnderWay


class ProgressListener:
    """Hears what a run does. Override the methods you need; the others do nothing."""

    def features_computed(self, done: int, total: int) -> None:
        """The features of so many examples are stored, which all models train on."""

    def shards_missing(self, missing: Sequence[Shard]) -> None:
        """These shards are trained next."""

    def goal_changed(self, trials: int) -> None:
        """The run trains up to so many trials, then asks the stopping rule."""

    def shard_trained(self, trained: TrainedShard, workers: int) -> None:
        """A shard was trained and stored while ``workers`` processes were at work."""

    def shards_under_way(self, under_way: Sequence[UnderWay]) -> None:
        """How far the shards are that take long; told every few seconds."""

    def shards_elsewhere(self, shards: Sequence[Shard]) -> None:
        """Other runs train these shards, and this one waits for them."""

    def shard_stored_elsewhere(self, shard: Shard) -> None:
        """Another run has stored a shard that this one was about to train."""

    def workers_measured(self, workers: int, rates: dict[int, float]) -> None:
        """``workers`` processes are the fastest; ``rates``: shards per second at each number."""

    def processes_died(self, workers: int) -> None:
        """Training processes died; the run goes on with ``workers`` of them."""

    def shard_damaged(self, damaged: Damaged) -> None:
        """A stored shard was damaged and set aside; it is trained again if it is planned."""

    def analysed(self, summary: Mapping[str, Any]) -> None:
        """All is trained, and these are the results, as in ``summary.json``."""


def together(*listeners: ProgressListener) -> ProgressListener:
    """One listener that tells all of these, in this order."""

    def tells_all(name: str) -> Callable[..., None]:
        def tell(*arguments: Any) -> None:
            for listener in listeners:
                getattr(listener, name)(*arguments)

        return tell

    one = ProgressListener()
    for name in vars(ProgressListener):
        if not name.startswith("_"):
            setattr(one, name, tells_all(name))
    return one


class StoppingRule(Protocol):
    """Decides, between groups of shards, whether there are enough trials."""

    def looks(self) -> Iterable[int]:
        """After how many trials to ask, ascending, whole shards."""

    def enough(self, trials: Trials) -> bool:
        """Whether these trials are enough: the study's first, as many as one of the looks."""
