"""Imported by the process that forks: what a first report loads and compiles is there in each fork.

Loading compiled loops, modules that only estimates need, and the templates of pages takes a process
two seconds. Nothing here starts a thread, and charts are not drawn.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import Mock, patch

import numpy as np
import vl_convert
from PIL import Image

from memtail_core.analysis import analyse
from memtail_core.drawing import charts
from memtail_core.plan import designs
from memtail_core.report.publication import publish
from memtail_core.running.preparation import prepare
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from memtail_core.study import Spec


def _publish() -> None:
    """Publish a report of models that toss coins."""
    spec = {
        "study": {"name": "warmed", "trials": 20},
        "dataset": {"source": "sklearn:digits", "train_limit": 60, "test_limit": 20},
        "training": {"recipe": "mlp"},
    }
    study, dataset = prepare(Spec.parse(spec))
    coins = np.random.default_rng(0)
    shapes = [(20, study.dataset.n_train), (20, study.dataset.n_test)]
    train, test = (np.packbits(coins.random(shape) < 0.8, axis=1) for shape in shapes)
    train_values, test_values = (coins.normal(size=shape).astype(np.float16) for shape in shapes)
    trials = Trials(
        n=study.dataset.n_train,
        n_test=study.dataset.n_test,
        subset=np.packbits(designs.subsets(study, range(20)), axis=1),
        train_correct=train,
        test_correct=test,
        train_values=train_values,
        test_values=test_values,
        trials=np.arange(20),
        seconds=np.ones(20),
        about=({"study": study.id},),
    )
    with _nothing_drawn(), tempfile.TemporaryDirectory(prefix="memtail-warmed-") as folder:
        publish(FilesStore(folder), analyse(study, dataset, trials))


@contextmanager
def _nothing_drawn() -> Iterator[None]:
    """Drawing starts threads."""
    empty = io.BytesIO()
    Image.new("RGB", (1, 1)).save(empty, "png")
    drawn: dict[str, object] = {
        "vegalite_to_svg": '<svg width="1" height="1" viewBox="0 0 1 1"></svg>',
        "svg_to_png": empty.getvalue(),
        "javascript_bundle": "",
    }
    with patch.multiple(vl_convert, **{name: Mock(return_value=of) for name, of in drawn.items()}):
        yield
    charts.javascript.cache_clear()


_publish()
