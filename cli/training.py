"""Training what is missing of a study on this machine: the plan, the bar, the trials."""

from typing import TYPE_CHECKING

from cli.options import print_json

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study
    from memtail_core.trials import Trials


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
) -> "Trials | None":
    """Say what is missing, train it, and return all trials; None if it was only to be said."""
    from cli.progress import RunProgress
    from memtail_core import execution, tuning
    from memtail_core.cost import estimate
    from memtail_core.training.device import resolve_device

    device = resolve_device(device)
    tuning.check(study, stack)
    cost = estimate(store, study, dataset, trials, device, workers)
    if dry_run and as_json:
        print_json(cost.as_dict())
        return None
    progress = RunProgress(study, store, cost, quiet=as_json, only_plan=dry_run)
    progress.say_plan()
    if dry_run:
        return None
    with progress:
        return execution.run(
            study,
            store,
            dataset,
            trials,
            workers=workers,
            device=device,
            stack=stack,
            observer=progress,
        )
