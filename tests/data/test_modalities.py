"""The modalities there are keep the contract, and a third one needs a class and a line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_wine

from memtail_core import catalogue
from memtail_core.analysis import analyse
from memtail_core.data import Dataset, Examples
from memtail_core.data.modalities import MODALITIES, Feed, Modality, modality_of, named
from memtail_core.data.modalities.comparison import Comparison, Standardized
from memtail_core.errors import DatasetError
from memtail_core.plan.shards import planned
from memtail_core.report.publication import publish
from memtail_core.running import loading
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.data.modality_contract import ModalityContract
from tests.texts import reviews

SYMBOLS = 5


class Sequences(Modality):
    """Sequences of the integers 0 … 4, all of one length."""

    name = "sequences"
    noun = "sequences"
    expected = "sequences as integers [n, length]"
    default_recipe = "sklearn:tree.DecisionTreeClassifier"
    has_one_unit = False
    is_pictured = False

    def claims(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        return False  # they look like rows of a table

    def prepare(self, x: NDArray[Any], name: str) -> NDArray[Any]:
        if x.ndim != 2 or x.dtype.kind not in "iu":
            raise DatasetError(f"{name} is {x.dtype} {list(x.shape)}: give {self.expected}")
        return np.ascontiguousarray(x, dtype=np.int64)

    def feed(self, shape: tuple[int, ...]) -> Feed:
        return Feed(shape, (0, 1), divisor=None)

    def embed(self, x: NDArray[Any], largest_side: int | None = None) -> NDArray[np.float32]:
        """Which symbol is at each place."""
        return np.eye(SYMBOLS, dtype=np.float32)[x].reshape(len(x), 1, -1)

    def comparison(self) -> Comparison:
        return Standardized(self.embed)

    def pictures(self, examples: Examples) -> Examples:
        raise NotImplementedError

    def phrases(self, example: NDArray[Any], columns: Sequence[str]) -> Iterator[str]:
        yield "-".join(map(str, example.tolist()))


def sequences(n: int) -> NDArray[Any]:
    """Different sequences of eight symbols."""
    numbers = np.random.default_rng(0).permutation(SYMBOLS**8)[:n]
    return numbers[:, None] // SYMBOLS ** np.arange(8) % SYMBOLS


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODALITIES, "sequences", Sequences())


class TestImages(ModalityContract):
    name = "images"

    def raw(self, n: int) -> NDArray[Any]:
        return (load_digits().images[:n] * 15).astype(np.uint8)


class TestLargeColourImages(ModalityContract):
    name = "images"

    def raw(self, n: int) -> NDArray[Any]:
        return np.random.default_rng(0).integers(0, 256, (n, 40, 33, 3)).astype(np.uint8)


class TestFeatures(ModalityContract):
    name = "features"

    def raw(self, n: int) -> NDArray[Any]:
        x: NDArray[Any] = load_wine().data[:n]
        return x


class TestText(ModalityContract):
    name = "text"
    strange = (np.zeros((2, 3)), np.zeros((2, 1, 1, 1, 1, 1)), np.array([[-1, 2]]))

    def raw(self, n: int) -> NDArray[Any]:
        return np.array(reviews(n)[0])


@pytest.mark.usefixtures("registered")
class TestSequences(ModalityContract):
    name = "sequences"

    def raw(self, n: int) -> NDArray[Any]:
        return sequences(n)


def test_no_two_modalities_claim_the_same_arrays() -> None:
    for dtype in map(np.dtype, ("u1", "i8", "f4", "f8", "b1", "O", "U1")):
        for shape in ((), (3,), (4, 5), (4, 5, 3), (2, 2, 2, 2)):
            claims = [each for each in MODALITIES.values() if each.claims(shape, dtype)]
            assert len(claims) <= 1
            assert modality_of(shape, dtype) is (claims[0] if claims else None)


def test_a_modality_that_is_not_known_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"'image', which is not known .*'images'"):
        named("image")


def test_a_source_may_name_the_modality(
    registered: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = sequences(60), np.arange(60) % 3
    np.savez(tmp_path / "s.npz", x_train=x, y_train=y, modality=np.array("sequences"))
    spec = Spec.parse({"dataset": {"source": f"npz:{tmp_path / 's.npz'}", "train_limit": 40}})
    study, dataset = prepare(spec)
    assert study.dataset.kind == dataset.modality.name == "sequences"
    assert dataset.train.dtype == np.int64
    assert Dataset.from_arrays(x, y, x, y).modality.name == "features"


@pytest.mark.slow
def test_a_study_of_a_third_modality_is_trained_stored_and_reported(
    registered: None, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    x = sequences(150)
    y = (x[:, 0] + x[:, 1] > 4).astype(int)
    y[rng.permutation(100)[:8]] ^= 1  # to be memorized
    data = Dataset.from_arrays(x[:100], y[:100], x[100:], y[100:], modality="sequences")
    spec = Spec.parse(
        {"study": {"name": "toy", "shard_size": 20}, "dataset": {"source": "python:toy:load"}}
    )
    study, dataset = prepare(spec, data)
    store = FilesStore(tmp_path)
    catalogue.register(store, study, dataset, 40)
    trainer = ShardTrainer(store, study, "cpu")
    for shard in planned(study, 40):
        trainer.train(shard)
    loaded, _ = loading.load(store, study)
    analysis = analyse(study, catalogue.load_dataset(store, study), loaded)
    memorized = np.flatnonzero(analysis.scores.memorization > 0.5)
    publish(store, analysis)
    page = store.get(f"{study.prefix}report/index.html").decode()
    assert len(memorized) >= 8
    phrase = next(Sequences().phrases(x[memorized[0]], ()))
    assert phrase in page and '<main class="table"' in page
