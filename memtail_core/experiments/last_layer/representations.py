"""The representation of a study's data in one network trained on all of them, computed once.

Each layer's is a dataset of features like any other, ``datasets/<sha256>.npz``, on which studies
can be trained; ``studies/<id>/representations.json`` says which they are.
"""

from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from memtail_core import training
from memtail_core.data import Dataset, InMemory
from memtail_core.data.modalities import named
from memtail_core.errors import DatasetError, StoreError
from memtail_core.plan import designs
from memtail_core.running import tuning
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.training.device import compute_reproducibly

LAST = "last"


class _Layer(BaseModel):
    """What is kept of one layer: its dataset, and the network's accuracies."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    train: float
    test: float


_KEPT = TypeAdapter(dict[str, _Layer])


@dataclass(frozen=True, eq=False)
class Represented:
    """A study's examples as one layer of a trained network is given them.

    Attributes:
        dataset: the same examples and labels; features instead of inputs, float32 [n, d].
        train, test: the network's own accuracies.
    """

    dataset: Dataset
    train: float
    test: float


def is_represented(store: ObjectStore, study: Study, *, every_layer: bool = False) -> bool:
    """Whether :func:`represented` would only read."""
    return _read(store, _kept_key(study), every_layer) is not None


def represented(
    store: ObjectStore, study: Study, dataset: Dataset, device: str, *, every_layer: bool = False
) -> dict[str, Represented]:
    """Return the input of the network's last layer, ``"last"``; and of all before it, in order.

    The network is trained when it is first asked for, on ``device``.

    Raises:
        TrainingError: the recipe is no network, or its last layer is not linear.
    """
    key = _kept_key(study)
    found = _read(store, key, every_layer)
    if found is None:
        from memtail_core.training.gradient.representation import representations

        compute_reproducibly()
        recipe, seed = training.restore(study.training), designs.whole_seed(study)
        settled = tuning.settled(store, study, dataset, device)
        made = representations(recipe, dataset, device, seed, settled)
        found = {
            name: Represented(
                replace(
                    dataset,
                    train=InMemory(layer.train),
                    test=InMemory(layer.test),
                    features=(),
                    modality=named("features"),
                ),
                layer.accuracy.train,
                layer.accuracy.test,
            )
            for name, layer in made.items()
            if every_layer or name == LAST
        }
        for each in found.values():
            store.put(_key(each.dataset.sha256), each.dataset.to_npz())
        layers = {
            name: _Layer(sha256=each.dataset.sha256, train=each.train, test=each.test)
            for name, each in found.items()
        }
        store.put(key, _KEPT.dump_json(layers, indent=1))
    return found if every_layer else {LAST: found[LAST]}


def _read(store: ObjectStore, key: str, every_layer: bool) -> dict[str, Represented] | None:
    """What is kept; None if something is missing or damaged, for it can be made again."""
    try:
        layers = _KEPT.validate_json(store.get(key))
        if LAST not in layers or (every_layer and len(layers) == 1):
            return None
        return {
            name: Represented(
                Dataset.from_npz(store.get(_key(layer.sha256)), layer.sha256),
                layer.train,
                layer.test,
            )
            for name, layer in layers.items()
            if every_layer or name == LAST
        }
    except (KeyError, ValidationError, DatasetError, StoreError):
        return None


def _kept_key(study: Study) -> str:
    return f"{study.prefix}representations.json"


def _key(sha256: str) -> str:
    return f"datasets/{sha256}.npz"
