"""Shards that someone has forged: a file whose SHA-256 is right proves nothing of who made it."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.catalogue import Progress, reports
from memtail_core.errors import DamagedError, StoreError, StudyError
from memtail_core.plan.shards import Shard
from memtail_core.running import loading, shard_files, tuning
from memtail_core.running.loading import load_shard
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.settings import settings
from memtail_core.store import FilesStore, archive
from memtail_core.store.archive import Arrays
from memtail_core.training.device import machine_kind
from tests.conftest import Trained

FIRST, SECOND = Shard(0, 5), Shard(5, 10)
KEY = "a key of at least 16 characters"
NESTED = "[" * 100_000


@pytest.fixture
def store(trained: Trained, tmp_path: Path) -> FilesStore:
    """The study with two shards."""
    copy = FilesStore(tmp_path / "runs")
    catalogue.register(copy, trained.study, trained.dataset, 10)
    for shard in (FIRST, SECOND):
        for key in (shard.key(trained.study), shard.values_key(trained.study)):
            copy.put(key, trained.store.get(key))
    return copy


def forged(trained: Trained, change: Callable[[Arrays], object]) -> bytes:
    """The file of the first shard with other arrays, and a SHA-256 that is right."""
    arrays = archive.unpacked(trained.store.get(FIRST.key(trained.study)))
    change(arrays)
    return archive.packed(arrays)


def said(about: str) -> Callable[[Arrays], object]:
    return lambda arrays: arrays.update(about=np.array(about))


def without_a_column(arrays: Arrays) -> None:
    arrays["subset"] = arrays["subset"][:, 1:]


@pytest.mark.parametrize(
    "change",
    [
        said(NESTED),
        said('{"study": ' + NESTED),
        said("[]"),
        said('{"study": 1e999}'),
        without_a_column,
        lambda arrays: arrays.update(subset=arrays["subset"].astype(np.float64)),
        lambda arrays: arrays.update(test_correct=arrays["train_correct"]),
        lambda arrays: arrays.update(seconds=np.array(["x"] * 5)),
        lambda arrays: arrays.update(train_margin=np.zeros((5, 7), np.float16)),
    ],
)
def test_a_shard_of_other_content_costs_that_shard(
    trained: Trained, store: FilesStore, change: Callable[[Arrays], object]
) -> None:
    store.put(FIRST.key(trained.study), forged(trained, change))
    loaded, damaged = loading.load(store, trained.study)
    assert [each.shard for each in damaged] == [FIRST]
    assert loaded.trials.tolist() == list(SECOND.trials)


def test_what_it_says_of_its_training_is_plain(trained: Trained) -> None:
    about = dict(load_shard(trained.store, trained.study, FIRST).about[0])
    deep = forged(trained, said(json.dumps(about | {"torch": {"deep": [1]}})))
    with pytest.raises(DamagedError, match="no file of a shard of this study"):
        shard_files.decode(deep, trained.study, FIRST)


def test_a_small_file_that_says_it_is_huge_is_damaged() -> None:
    """https://github.com/keras-team/keras/pull/23016: members of more than is there."""
    whole = io.BytesIO()
    np.savez(whole, a=np.zeros(8, np.uint8))
    header = whole.getvalue()
    assert b"(8,), }" in header
    huge = header.replace(b"(8,), }           ", b"(8000000000000,), }"[:18], 1)
    compressed = io.BytesIO()
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as file:
        member = io.BytesIO()
        np.save(member, np.zeros(1 << 24, np.uint8))
        file.writestr("a.npy", member.getvalue())
    for content in (huge, compressed.getvalue()):
        with pytest.raises(DamagedError):
            archive.unpacked(signed_off(content))


def signed_off(content: bytes) -> bytes:
    """An archive with the SHA-256 that memtail puts at its end."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"0" * 64
    body = buffer.getvalue()[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def test_without_a_key_files_are_the_bytes_they_were(trained: Trained) -> None:
    shard = load_shard(trained.store, trained.study, FIRST, values=True)
    content = trained.store.get(FIRST.key(trained.study))
    assert shard_files.encode(shard).bits == content
    signed = shard_files.encode(shard, KEY.encode())
    assert signed.values == trained.store.get(FIRST.values_key(trained.study))
    assert len(signed.bits) == len(content) + 64
    assert shard_files.decode(signed.bits, trained.study, FIRST), "whole, for who has no key"
    with np.load(io.BytesIO(signed.bits), allow_pickle=False) as file:
        assert "subset" in file


def test_with_a_key_an_unsigned_or_forged_shard_is_trained_again(
    trained: Trained, store: FilesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, key = trained.study, FIRST.key(trained.study)
    whole = load_shard(store, study, FIRST, values=True)
    flipped = replace(whole, train_correct=255 - whole.train_correct)
    monkeypatch.setenv("MEMTAIL_SHARD_KEY", KEY)
    for content in (
        store.get(key),
        shard_files.encode(flipped).bits,
        shard_files.encode(flipped, b"another key of 16 characters").bits,
        shard_files.encode(whole, KEY.encode()).bits[:-64] + b"0" * 64,
    ):
        store.put(key, content)
        assert FIRST in [each.shard for each in loading.load(store, study)[1]]
        assert not loading.is_whole(store, study, FIRST), "a worker trains it again"
    assert len(loading.load(store, study)[1]) == 2
    trainer = ShardTrainer(store, study, "cpu", stack=1)
    for shard in (FIRST, SECOND):
        trainer.train(shard)
        assert loading.is_whole(store, study, shard)
    assert loading.load(store, study)[1] == []
    monkeypatch.delenv("MEMTAIL_SHARD_KEY")
    assert loading.load(store, study)[1] == [], "whoever has no key reads them too"


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMTAIL_SHARD_KEY", "secret")
    with pytest.raises(StudyError, match="MEMTAIL_SHARD_KEY is wrong") as raised:
        settings()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("content", [NESTED, '{"trials": NaN}', '{"trials": "x"}', "[]", "\x00"])
def test_a_goal_that_is_none_is_named(trained: Trained, store: FilesStore, content: str) -> None:
    store.put(f"{trained.study.prefix}goal.json", content.encode())
    with pytest.raises(StoreError, match=r"goal\.json is damaged: delete it"):
        catalogue.goal(store, trained.study)


@pytest.mark.parametrize(
    "content", [NESTED, '{"stack": 100000000, "precision": "float32"}', '{"stack": 1}']
)
def test_a_tuning_that_is_none_is_named(trained: Trained, store: FilesStore, content: str) -> None:
    kind = re.sub("[^a-z0-9]+", "-", machine_kind("cpu").lower()).strip("-")
    store.put(f"{trained.study.prefix}tuning/{kind}.json", content.encode())
    with pytest.raises(StoreError, match="is damaged: delete it"):
        tuning.settled(store, trained.study, trained.dataset, "cpu")


def test_the_name_of_a_shard_far_away_lets_no_study_grow(
    trained: Trained, store: FilesStore
) -> None:
    """Whoever may store shards could have every worker train a million models."""
    store.put(Shard(33_210, 33_215).key(trained.study), b"")
    catalogue.register(store, trained.study, trained.dataset, 12)
    assert catalogue.goal(store, trained.study) == 15
    assert len(Progress.of(store, trained.study).missing) == 1


@pytest.mark.parametrize("name", ["../../secrets", "/etc/passwd", ""])
def test_a_manifest_of_other_files_is_none(trained: Trained, store: FilesStore, name: str) -> None:
    manifest = {"trials": 1, "files": {name: "0" * 64}}
    store.put(f"{trained.study.prefix}report/manifest.json", json.dumps(manifest).encode())
    assert reports.whole(store, trained.study) is None
    assert reports.fetch(store, trained.study) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("shard_size", 0), ("training", {}), ("training", {"recipe": 1}), ("seed", "x")],
)
def test_a_study_file_of_other_content_is_named(
    trained: Trained, store: FilesStore, key: str, value: Any
) -> None:
    tables = json.loads(trained.study.to_json()) | {key: value}
    store.put(f"{trained.study.prefix}study.json", json.dumps(tables).encode())
    with pytest.raises(StudyError, match="is damaged or of another version"):
        catalogue.read(store, trained.study.id)
