"""Training what is missing of a study on this machine: the plan, the bar, the trials."""

from typing import TYPE_CHECKING

from cli.options import print_json

if TYPE_CHECKING:
    from cli.stopping import Stopping
    from memtail_core.data import Dataset
    from memtail_core.running.trials import Trials
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study


def train(
    store: "ObjectStore",
    study: "Study",
    dataset: "Dataset",
    trials: int,
    workers: int | None = None,
    device: str = "auto",
    stack: int | None = None,
    dry_run: bool = False,
    as_json: bool = False,
    stopping: "Stopping | None" = None,
) -> "Trials | None":
    """Say what is missing, train it, and return all trials; None if it was only to be said.

    ``stopping`` says when fewer than ``trials`` are enough, and keeps what it saw.
    """
    from cli.run_progress import RunProgress
    from memtail_core.running import execution, tuning
    from memtail_core.running.cost import estimate
    from memtail_core.training.device import resolve_device

    device = resolve_device(device)
    tuning.check(study, stack)
    planned = stopping.planned(store, study, trials) if stopping else trials
    cost = estimate(store, study, dataset, planned, device, workers)
    if dry_run and as_json:
        print_json(cost.as_dict() | (stopping.as_dict() if stopping else {}))
        return None
    progress = RunProgress(
        study,
        store,
        cost,
        quiet=as_json,
        only_plan=dry_run,
        until=stopping.lines() if stopping else (),
        is_open=bool(stopping and stopping.conditions),
    )
    progress.say_plan()
    if dry_run:
        return None
    watch = stopping.watch(study, progress.looked) if stopping else None
    with progress:
        found = execution.run(
            study,
            store,
            dataset,
            trials,
            workers=workers,
            device=device,
            stack=stack,
            observer=progress,
            until=watch,
            seconds=stopping.seconds if stopping else None,
        )
    if stopping and watch:
        stopping.keep(store, study, watch, found, trials)
    return found
