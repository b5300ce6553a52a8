"""Train what is missing of a study on this machine: print the plan, show progress, load trials."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.options import print_json
from memtail_core.plan.shards import WHOLE, Part
from memtail_core.running.listeners import ProgressListener, together

if TYPE_CHECKING:
    from cli.stopping import Stopping
    from memtail_core.data import Dataset
    from memtail_core.running.trials import Trials
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study


@dataclass(frozen=True)
class RunOptions:
    """How to train on this machine, and what to print.

    Attributes:
        workers: processes; None: the fastest number, measured.
        device: "auto", "cpu", "cuda" or "cuda:1".
        stack: networks a process trains at once; None: the fastest number, measured.
        dry_run: print the plan and train nothing.
        as_json: print JSON instead of text.
        may_shrink: a goal that is larger falls to the number asked for.
        part: of the shards, that this run trains.
        listener: told of the progress too, and of the results.
    """

    workers: int | None = None
    device: str = "auto"
    stack: int | None = None
    dry_run: bool = False
    as_json: bool = False
    may_shrink: bool = False
    part: Part = WHOLE
    listener: ProgressListener = field(default_factory=ProgressListener)


def train(
    store: "ObjectStore",
    study: "Study",
    dataset: "Dataset",
    trials: int,
    options: RunOptions,
    stopping: "Stopping | None" = None,
) -> "Trials | None":
    """Print what is missing, train it, and return all trials; None after a dry run.

    ``stopping`` decides when fewer than ``trials`` are enough; what it measured is stored.
    """
    from cli.run_progress import RunProgress
    from memtail_core import catalogue
    from memtail_core.running import execution, tuning
    from memtail_core.running.cost import estimate
    from memtail_core.training.device import resolve_device

    device = resolve_device(options.device)
    tuning.check(study, options.stack)
    planned = stopping.planned(store, study, trials) if stopping else trials
    cost = estimate(store, study, dataset, planned, device, options.workers)
    if options.dry_run and options.as_json:
        account = {"read": dataset.account.lines, "warnings": dataset.account.warnings}
        print_json(cost.as_dict() | account | (stopping.as_dict() if stopping else {}))
        return None
    progress = RunProgress(
        study,
        store,
        cost,
        dataset.account,
        quiet=options.as_json,
        only_plan=options.dry_run,
        until=stopping.lines() if stopping else (),
        is_open=bool(stopping and stopping.conditions),
    )
    progress.say_plan()
    if not (options.may_shrink or (stopping and stopping.conditions)):
        progress.say_kept(catalogue.goal(store, study))
    if options.dry_run:
        return None
    watch = stopping.watch(study, progress.looked) if stopping else None
    with progress:
        loaded = execution.run(
            study,
            store,
            dataset,
            trials,
            workers=options.workers,
            device=device,
            stack=options.stack,
            observer=together(progress, options.listener),
            until=watch,
            seconds=stopping.seconds if stopping else None,
            may_shrink=options.may_shrink,
            part=options.part,
        )
    if stopping and watch:
        stopping.keep(store, study, watch, loaded, trials)
    return loaded
