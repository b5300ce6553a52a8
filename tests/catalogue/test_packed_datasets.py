"""Packed data in a store: parts are put and fetched once, verified, and shared by studies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.data import Dataset, load
from memtail_core.data.packed import packing
from memtail_core.errors import DatasetError, MachineError, StoreError
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore, archive
from memtail_core.study import DatasetTable, Spec, packed_key, part_key


class Bucket:
    """A store that is no folder of files to map, and counts what it is asked; kept in one."""

    def __init__(self, folder: Path) -> None:
        self._files = FilesStore(folder)
        self.location = str(folder)
        self.got: list[str] = []
        self.sent: list[str] = []
        self.fail_after: int | None = None

    def get(self, key: str) -> bytes:
        self.got.append(key)
        return self._files.get(key)

    def put(self, key: str, content: bytes) -> None:
        if self.fail_after is not None and len(self.sent) >= self.fail_after:
            raise StoreError("the server is gone")
        self.sent.append(key)
        self._files.put(key, content)

    def exists(self, key: str) -> bool:
        return self._files.exists(key)

    def digest(self, key: str) -> str:
        return self._files.digest(key)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "packer"))
    monkeypatch.setattr(packing, "rows_per_part", lambda n, record_bytes: 30)


def table(**options: Any) -> DatasetTable:
    return DatasetTable.model_validate(
        {"source": "sklearn:digits", "train_limit": 200, "test_limit": 50, **options}
    )


def spec(**options: Any) -> Spec:
    return Spec.parse(
        {
            "study": {"name": "digits", "trials": 6, "shard_size": 3},
            "dataset": table(**options).model_dump(exclude_none=True),
            # in one precision: each store's tuning could find another one faster
            "training": {"recipe": "mlp", "widths": [16], "epochs": 5, "precision": "float32"},
        }
    )


def in_parts(**options: Any) -> Dataset:
    packed = load(table(storage="packed", **options))
    assert packed.train.is_mapped
    return packed


def parts_of(dataset: Dataset) -> list[str]:
    return [part_key(part.sha256) for part in dataset.train.records.parts]  # type: ignore[attr-defined]


def as_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Be another machine: with a cache of its own."""
    monkeypatch.setenv("MEMTAIL_CACHE", str(tmp_path / "worker"))
    return tmp_path / "worker" / "parts"


def test_a_study_has_the_same_id_and_bits_in_memory_and_packed(tmp_path: Path) -> None:
    trials = {}
    for how in ("memory", "packed"):
        study, dataset = prepare(spec(storage=how))
        store = FilesStore(tmp_path / how)
        trials[how] = execution.run(study, store, dataset, 6, workers=1, stack=3)
        assert catalogue.load_dataset(store, study).train.is_mapped == (how == "packed")
    memory, packed = trials["memory"], trials["packed"]
    assert packed.about[0]["study"] == memory.about[0]["study"]
    for name in ("subset", "train_correct", "test_correct", "trials"):
        np.testing.assert_array_equal(getattr(packed, name), getattr(memory, name))
    first, second = (FilesStore(tmp_path / how) for how in ("memory", "packed"))
    keys = list(first.list(f"{study.prefix}values/"))
    assert len(keys) == 2
    for key in keys:
        ours, theirs = (archive.unpacked(store.get(key)) for store in (second, first))
        for name in ours.keys() - {"about"}:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_a_folder_gets_links_and_is_mapped_where_it_is(tmp_path: Path) -> None:
    packed, store = in_parts(), FilesStore(tmp_path / "runs")
    assert catalogue.put_dataset(store, packed)
    assert not catalogue.put_dataset(store, packed)
    for key in parts_of(packed):
        file = store.file(key)
        assert file.stat().st_nlink == 2  # the packer's and the store's: no copy
    read = catalogue.dataset_of(store, packed.sha256)
    assert read.train.records.folder == (tmp_path / "runs" / "datasets" / "parts").absolute()  # type: ignore[attr-defined]
    assert read.sha256 == packed.sha256
    for part in ("train", "test", "y_train", "y_test"):
        ours, theirs = getattr(read, part), getattr(packed, part)
        ours, theirs = (x.whole() if part in ("train", "test") else x for x in (ours, theirs))
        np.testing.assert_array_equal(ours, theirs)
    del vars(read)["sha256"]
    assert read.sha256 == packed.sha256  # computed from what is mapped


def test_an_upload_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    packed, bucket = in_parts(), Bucket(tmp_path / "bucket")
    bucket.fail_after = 3
    with pytest.raises(StoreError, match="gone"):
        catalogue.put_dataset(bucket, packed)  # type: ignore[arg-type]
    assert not bucket.exists(packed_key(packed.sha256))  # last: whoever finds it has all parts
    bucket.fail_after = None
    assert catalogue.put_dataset(bucket, packed)  # type: ignore[arg-type]
    assert sorted(bucket.sent[:-1]) == sorted(parts_of(packed))  # each once
    assert bucket.sent[-1] == packed_key(packed.sha256)


def test_studies_that_share_records_share_their_parts(tmp_path: Path) -> None:
    bucket = Bucket(tmp_path / "bucket")
    first, second = in_parts(test_fraction=0.2), in_parts(test_fraction=0.3)
    assert first.sha256 != second.sha256
    catalogue.put_dataset(bucket, first)  # type: ignore[arg-type]
    n = len(bucket.sent)
    catalogue.put_dataset(bucket, second)  # type: ignore[arg-type]
    assert bucket.sent[n:] == [packed_key(second.sha256)]


def test_a_worker_fetches_only_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, bucket = in_parts(), Bucket(tmp_path / "bucket")
    catalogue.put_dataset(bucket, packed)  # type: ignore[arg-type]
    cache = as_worker(monkeypatch, tmp_path)
    keys, index = parts_of(packed), packed_key(packed.sha256)
    bucket.got.clear()
    read = catalogue.dataset_of(bucket, packed.sha256)  # type: ignore[arg-type]
    assert bucket.got == [index, *keys]
    np.testing.assert_array_equal(read.train.whole(), packed.train.whole())
    bucket.got.clear()
    catalogue.dataset_of(bucket, packed.sha256)  # type: ignore[arg-type]
    assert bucket.got == [index]
    (cache / keys[2].rpartition("/")[2]).unlink()  # in use by ``read``, too
    np.testing.assert_array_equal(read.train.whole(), packed.train.whole())
    bucket.got.clear()
    catalogue.dataset_of(bucket, packed.sha256)  # type: ignore[arg-type]
    assert bucket.got == [index, keys[2]]


def test_a_damaged_or_missing_part_in_a_bucket_is_one_line_and_is_put_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, bucket = in_parts(), Bucket(tmp_path / "bucket")
    catalogue.put_dataset(bucket, packed)  # type: ignore[arg-type]
    file = tmp_path / "bucket" / parts_of(packed)[1]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"?")
    with monkeypatch.context() as patch:
        as_worker(patch, tmp_path)
        with pytest.raises(DatasetError, match=r"is damaged: .* run the study again"):
            catalogue.dataset_of(bucket, packed.sha256)  # type: ignore[arg-type]
        file.unlink()
        with pytest.raises(StoreError, match=r"lacks the part .* run the study again"):
            catalogue.dataset_of(bucket, packed.sha256)  # type: ignore[arg-type]
    assert catalogue.put_dataset(bucket, packed, verify=True)  # type: ignore[arg-type]
    assert file.read_bytes() == whole


def test_a_damaged_part_in_a_folder_is_found_and_replaced(tmp_path: Path) -> None:
    packed, store = in_parts(), FilesStore(tmp_path / "runs")
    catalogue.put_dataset(store, packed)
    file = store.file(parts_of(packed)[0])
    content = file.read_bytes()
    file.unlink()  # not the packer's, which it is linked to
    file.write_bytes(content[:-1] + b"?")
    with pytest.raises(DatasetError, match="SHA-256 differs"):
        catalogue.dataset_of(store, packed.sha256)
    assert catalogue.put_dataset(store, packed, verify=True)
    assert catalogue.dataset_of(store, packed.sha256).sha256 == packed.sha256


def test_a_damaged_index_is_one_line_unless_the_data_are_there_in_the_other_form(
    tmp_path: Path,
) -> None:
    study, packed = prepare(spec(storage="packed"))
    store = FilesStore(tmp_path / "runs")
    catalogue.put_dataset(store, packed)
    store.put(packed_key(packed.sha256), b"damaged")
    with pytest.raises(DatasetError, match=r"\.packed is damaged .* which stores it anew"):
        catalogue.load_dataset(store, study)
    catalogue.put_dataset(store, load(table(storage="memory")))
    assert not catalogue.load_dataset(store, study).train.is_mapped
    assert catalogue.put_dataset(store, packed)
    assert catalogue.load_dataset(store, study).train.is_mapped


def test_a_worker_whose_cache_is_too_small_leaves_the_study_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, bucket = in_parts(), Bucket(tmp_path / "bucket")
    catalogue.put_dataset(bucket, packed)  # type: ignore[arg-type]
    as_worker(monkeypatch, tmp_path)
    monkeypatch.setenv("MEMTAIL_CACHE_BYTES", "1000")
    with pytest.raises(MachineError, match="raise MEMTAIL_CACHE_BYTES"):
        catalogue.dataset_of(bucket, packed.sha256)  # type: ignore[arg-type]
