"""The order for a study: what the cluster was asked to train, ``order.json`` beside ``study.json``.

It is in the store, so that no order is lost with Redis.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from memtail_core.errors import StoreError
from memtail_core.store import ObjectStore
from memtail_core.study import Study

Device = Literal["cpu", "cuda"]


class Order(BaseModel):
    """How the cluster is to train a study.

    Attributes:
        device: the kind of device, and so the queue.
        stack: networks that a worker trains at once, if the user chose.
        cancelled: whether training is to stop; stored shards stay.
        until: rules of ``--until``, as :func:`~memtail_core.experiments.stopping.rules.parse` reads
            them; the study grows until one of them is met. None: it gets a number of models.
        most: the most models that it grows to; None without a limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: Device
    stack: int | None = None
    cancelled: bool = False
    until: tuple[str, ...] = ()
    most: int | None = None


def place(store: ObjectStore, study: Study, order: Order) -> None:
    """Write the order, replacing an earlier one."""
    unused = None if order.until else {"until", "most"}  # so that earlier versions read it
    store.put(_key(study), order.model_dump_json(exclude=unused).encode())


def read(store: ObjectStore, study: Study) -> Order | None:
    """The order; None for a study that was never submitted, but run on some machine."""
    try:
        return Order.model_validate_json(store.get(_key(study)))
    except KeyError:
        return None
    except ValidationError as error:
        raise StoreError(
            f"{store.location}/{_key(study)} is damaged: submit the study again (memtail submit)"
        ) from error


def _key(study: Study) -> str:
    return f"{study.prefix}order.json"
