"""Rows that stay in files are those of memory, bit for bit, and so is what is trained on them."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from memtail_core.data import Dataset
from memtail_core.training.engine import Tuning
from memtail_core.training.gradient import resident_data
from memtail_core.training.gradient.batches import Batch
from memtail_core.training.gradient.resident_data import ResidentData
from memtail_core.training.gradient.streamed_rows import StreamedRows
from memtail_core.training.registry import resolve
from tests.data.packed.test_records import packed

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Dataset]:
    """The same images in memory and in parts, larger than what is kept ready."""
    monkeypatch.setattr(resident_data, "READY_BYTES", 0)
    monkeypatch.setattr(resident_data, "_SHARE", 0.0)  # nor do they fit on a GPU
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (150, 10, 12, 3), dtype=np.uint8)
    y = rng.integers(0, 3, 150)
    memory = Dataset.from_arrays(x[:120], y[:120], x[120:], y[120:])
    every = packed(x, tmp_path, rows=11)
    train, test = (every.selected(rows) for rows in np.split(np.arange(150), [120]))
    return memory, Dataset.from_arrays(train, y[:120], test, y[120:])


@pytest.mark.parametrize("device", DEVICES)
def test_rows_are_those_of_the_tensor(pair: tuple[Dataset, Dataset], device: str) -> None:
    resident, streamed = (ResidentData(each, True, torch.device(device)) for each in pair)
    rows = streamed.x_train
    assert isinstance(rows, StreamedRows)
    assert isinstance(resident.x_train, torch.Tensor)
    assert (rows.shape, rows.dtype, len(rows)) == ((120, 360), torch.uint8, 120)
    for ours, theirs in zip(rows.split(7), resident.x_train.split(7), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(rows[3:9], resident.x_train[3:9])


@pytest.mark.parametrize("device", DEVICES)
def test_batches_have_the_bits_of_memory(pair: tuple[Dataset, Dataset], device: str) -> None:
    resident, streamed = (ResidentData(each, True, torch.device(device)) for each in pair)
    generator = torch.Generator().manual_seed(0)
    each = [
        Batch(
            torch.randint(120, (2, b), generator=generator),
            torch.randint(2, (2, b), generator=generator).bool(),
        )
        for b in (32, 32, 32, 32, 32, 32, 32, 32, 33, 5)
    ]
    for ours, batch in zip(streamed.fed(iter(each)), each, strict=True):
        theirs = batch.changed(lambda tensor: tensor.to(device))
        for mine, other in zip(streamed.batch(ours), resident.batch(theirs), strict=True):
            assert torch.equal(mine, other)


def test_a_reader_that_is_left_early_ends_its_threads(pair: tuple[Dataset, Dataset]) -> None:
    before = threading.active_count()
    rows = StreamedRows(pair[1].train, torch.device("cpu"))
    reader = rows.split(3)
    next(reader)
    del reader
    assert threading.active_count() == before


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "options", [{}, {"flip": True, "crop": 2}, {"flip": True, "resized_crop": 8, "crop": 1}]
)
def test_models_have_the_bits_of_those_trained_in_memory(
    pair: tuple[Dataset, Dataset], options: dict[str, Any], device: str
) -> None:
    rng = np.random.default_rng(1)
    subsets = np.zeros((3, 120), bool)
    for subset in subsets:
        subset[rng.permutation(120)[:81]] = True  # the last batch is one more, 16 + 1
    table = {"recipe": "cnn", "channels": [4], "hidden": 8, "epochs": 2, "batch_size": 16}
    memory, streamed = (
        resolve({**table, **options}, each, 81)
        .engine(device, Tuning(2, "float32"))
        .train(each, subsets, np.arange(3))
        for each in pair
    )
    for name in ("train_correct", "test_correct", "train_value", "test_value"):
        np.testing.assert_array_equal(getattr(streamed, name), getattr(memory, name))


def test_an_error_while_reading_reaches_the_trainer(
    pair: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    rows = StreamedRows(pair[1].train, torch.device("cpu"))
    monkeypatch.setattr(type(pair[1].train), "take", broken)
    with pytest.raises(OSError, match="gone"):
        next(rows.split(3))
