"""memtail: which training examples a model memorizes, and which test predictions depend on them.

From data to scores in three lines::

    import memtail_core as memtail

    results = memtail.train("digits", trials=200)  # or train(memtail.from_torch(train, test))
    results.scores.to_pandas()  # a row per training example

The steps behind it::

    spec = memtail.Spec.parse({"dataset": {"source": "sklearn:digits"}})
    study, dataset = memtail.prepare(spec)
    trials = memtail.run(study, memtail.open_store("runs"), dataset, 200)
    scores = memtail.analyse(study, dataset, trials).scores.memorization  # one per example

Names are imported when first used, so that ``import memtail_core`` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memtail_core.analysis import analyse
    from memtail_core.data import Dataset
    from memtail_core.data.objects import (
        from_arrays,
        from_huggingface,
        from_pandas,
        from_torch,
    )
    from memtail_core.errors import MemtailError
    from memtail_core.estimation import memorization
    from memtail_core.estimation.influence import Evidence, find
    from memtail_core.notebook import Results, open_results, train
    from memtail_core.report.publication import publish
    from memtail_core.running.execution import run
    from memtail_core.running.preparation import prepare
    from memtail_core.running.trials import Trials
    from memtail_core.store import open_store
    from memtail_core.study import Spec, Study

_HOMES = {
    "Dataset": "data",
    "Evidence": "estimation.influence",
    "MemtailError": "errors",
    "Results": "notebook",
    "Spec": "study",
    "Study": "study",
    "Trials": "running.trials",
    "analyse": "analysis",
    "find": "estimation.influence",
    "from_arrays": "data.objects",
    "from_huggingface": "data.objects",
    "from_pandas": "data.objects",
    "from_torch": "data.objects",
    "memorization": "estimation",
    "open_results": "notebook",
    "open_store": "store",
    "prepare": "running.preparation",
    "publish": "report.publication",
    "run": "running.execution",
    "train": "notebook",
}

__all__ = [
    "Dataset",
    "Evidence",
    "MemtailError",
    "Results",
    "Spec",
    "Study",
    "Trials",
    "analyse",
    "find",
    "from_arrays",
    "from_huggingface",
    "from_pandas",
    "from_torch",
    "memorization",
    "open_results",
    "open_store",
    "prepare",
    "publish",
    "run",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'memtail_core' has no attribute '{name}'")
    return getattr(import_module(f"memtail_core.{_HOMES[name]}"), name)
