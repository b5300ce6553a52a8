"""A store of many small studies that are complete and have reports."""

from memtail_core.catalogue import reports
from memtail_core.plan import shards
from memtail_core.study import Study
from services import orders
from services.orders import Order
from tests.plan.test_designs import study as make_study
from tests.store.counting import CountingStore


def filled(n_studies: int, n_shards: int = 4) -> tuple[CountingStore, list[Study]]:
    """A store with so many studies that were submitted and are complete."""
    store = CountingStore()
    recipe = {**make_study().training, "recipe": "mlp"}
    copied = [{"name": f"s{n}", "shard_size": 5, "training": recipe} for n in range(n_studies)]
    studies = [make_study().model_copy(update=each) for each in copied]
    for study in studies:
        store.put(f"{study.prefix}study.json", study.to_json())
        store.put(f"{study.prefix}goal.json", b'{"trials": %d}' % (5 * n_shards))
        orders.place(store, study, Order(device="cpu"))
        for shard in shards.planned(study, 5 * n_shards):
            store.put(shard.key(study), b"")
        files = {"index.html": b"a page", "summary.json": study.id.encode()}
        reports.write(store, study, files, 5 * n_shards)
    store.spent()
    return store, studies
