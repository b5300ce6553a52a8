"""The representation of a study's data in one network trained on all of it, computed once.

The output of each layer is stored as a dataset of features, ``datasets/<sha256>.npz``, on which
studies can be trained; ``studies/<id>/representations.json`` lists them.
"""

from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from memtail_core import training
from memtail_core.data import Dataset, InMemory
from memtail_core.data.modalities import named
from memtail_core.errors import DatasetError, StoreError
from memtail_core.experiments.last_layer.result import LAST
from memtail_core.plan import designs
from memtail_core.running import tuning
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from memtail_core.training.device import compute_reproducibly


class _Layer(BaseModel):
    """A stored layer: its dataset, and the network's accuracies."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    train: float
    test: float


_STORED = TypeAdapter(dict[str, _Layer])


@dataclass(frozen=True, eq=False)
class Represented:
    """A study's examples as the input of one layer of a trained network.

    Attributes:
        dataset: the same examples and labels; features instead of inputs, float32 [n, d].
        train, test: the network's own accuracies.
    """

    dataset: Dataset
    train: float
    test: float


def is_represented(store: ObjectStore, study: Study, *, every_layer: bool = False) -> bool:
    """Whether the representations are stored already."""
    return _read(store, _list_key(study), every_layer) is not None


def represented(
    store: ObjectStore, study: Study, dataset: Dataset, device: str, *, every_layer: bool = False
) -> dict[str, Represented]:
    """Return the input of the network's last layer, ``"last"``, or of all layers, in order.

    The first call trains the network, on ``device``; later ones read what it stored.

    Raises:
        TrainingError: the recipe is not a network, or its last layer is not linear.
    """
    key = _list_key(study)
    layers = _read(store, key, every_layer)
    if layers is None:
        from memtail_core.training.gradient.representation import representations

        compute_reproducibly()
        recipe, seed = training.restore(study.training), designs.whole_seed(study)
        settled = tuning.settled(store, study, dataset, device)
        made = representations(recipe, dataset, device, seed, settled)
        layers = {
            name: Represented(
                replace(
                    dataset,
                    train=InMemory(layer.train),
                    test=InMemory(layer.test),
                    features=(),
                    modality=named("features"),
                    texts=None,
                ),
                layer.accuracy.train,
                layer.accuracy.test,
            )
            for name, layer in made.items()
            if every_layer or name == LAST
        }
        for each in layers.values():
            store.put(_dataset_key(each.dataset.sha256), each.dataset.to_npz())
        stored = {
            name: _Layer(sha256=each.dataset.sha256, train=each.train, test=each.test)
            for name, each in layers.items()
        }
        store.put(key, _STORED.dump_json(stored, indent=1))
    return layers if every_layer else {LAST: layers[LAST]}


def _read(store: ObjectStore, key: str, every_layer: bool) -> dict[str, Represented] | None:
    """Read the layers; None if one is missing or damaged, because they can be made again."""
    try:
        layers = _STORED.validate_json(store.get(key))
        if LAST not in layers or (every_layer and len(layers) == 1):
            return None
        return {
            name: Represented(
                Dataset.from_npz(store.get(_dataset_key(layer.sha256)), layer.sha256),
                layer.train,
                layer.test,
            )
            for name, layer in layers.items()
            if every_layer or name == LAST
        }
    except (KeyError, ValidationError, DatasetError, StoreError):
        return None


def _list_key(study: Study) -> str:
    return f"{study.prefix}representations.json"


def _dataset_key(sha256: str) -> str:
    return f"datasets/{sha256}.npz"
