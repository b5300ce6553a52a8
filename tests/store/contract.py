"""What every object store must do; subclass it and provide two fixtures.

``store``, and ``put_by_others``, which puts an empty object into it under any name at all.
"""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtail_core.errors import StoreError
from memtail_core.store import ObjectStore

_SEGMENT = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,12}", fullmatch=True)


class StoreContract:
    """The contract suite."""

    def test_what_was_put_is_what_is_got(self, store: ObjectStore) -> None:
        store.put("studies/a/study.json", b"\x00\xff bytes")
        assert store.get("studies/a/study.json") == b"\x00\xff bytes"
        assert store.exists("studies/a/study.json")

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,  # one for every store
        ],
    )
    @given(path=st.lists(_SEGMENT, min_size=1, max_size=3), content=st.binary(max_size=4096))
    def test_any_key_and_content_round_trip(
        self, store: ObjectStore, path: list[str], content: bytes
    ) -> None:
        key = "/".join(["any", *path, "object.bin"])
        store.put(key, content)
        assert store.get(key) == content

    def test_a_put_replaces_the_whole_object(self, store: ObjectStore) -> None:
        store.put("k", b"a long first version")
        store.put("k", b"short")
        assert store.get("k") == b"short"

    def test_an_empty_and_a_large_object(self, store: ObjectStore) -> None:
        large = bytes(range(256)) * 40_000  # 10 MB: several parts in a bucket
        store.put("empty", b"")
        store.put("large", large)
        assert store.get("empty") == b""
        assert store.get("large") == large

    def test_a_missing_object_is_a_key_error_and_does_not_exist(self, store: ObjectStore) -> None:
        with pytest.raises(KeyError):
            store.get("nothing/here")
        assert not store.exists("nothing/here")

    def test_a_folder_of_objects_is_no_object(self, store: ObjectStore) -> None:
        store.put("folder/object", b"x")
        assert not store.exists("folder")
        with pytest.raises((KeyError, StoreError)):
            store.get("folder")

    def test_list_is_sorted_and_only_below_the_prefix(self, store: ObjectStore) -> None:
        for key in ("a/2", "a/10", "a/b/1", "ab/1", "c"):
            store.put(key, b"")
        assert list(store.list("a/")) == ["a/10", "a/2", "a/b/1"]
        assert list(store.list("")) == ["a/10", "a/2", "a/b/1", "ab/1", "c"]
        assert list(store.list("none/")) == []
        assert list(store.list("a/", after="a/10")) == ["a/2", "a/b/1"]
        assert list(store.list("a/", after="a/15")) == ["a/2", "a/b/1"]
        assert list(store.list("a/", after="a/b/1")) == []

    def test_a_listing_has_the_right_digests_or_none(self, store: ObjectStore) -> None:
        contents = {"a/1": b"one", "a/2": b"two", "b": b""}
        for key, content in contents.items():
            store.put(key, content)
        store.add("a/3", b"three")
        entries = list(store.entries(""))
        assert [entry.key for entry in entries] == ["a/1", "a/2", "a/3", "b"]
        for entry in entries:
            assert entry.digest in (None, hashlib.sha256(store.get(entry.key)).hexdigest())
        assert [entry.key for entry in store.entries("a/", after="a/1")] == ["a/2", "a/3"]

    def test_folders_are_what_is_directly_below(self, store: ObjectStore) -> None:
        for key in ("studies/b/study.json", "studies/a/shards/1", "studies/ab/x", "studies/file"):
            store.put(key, b"")
        assert list(store.folders("studies/")) == ["a", "ab", "b"]
        assert list(store.folders("")) == ["studies"]
        assert list(store.folders("none/")) == []
        assert list(store.folders("studies/", start="a")) == ["a", "ab"]
        assert list(store.folders("studies/", start="ab")) == ["ab"]
        assert list(store.folders("studies/", start="x")) == []

    def test_what_others_put_under_names_that_are_no_keys_is_not_listed(
        self, store: ObjectStore, put_by_others: Callable[[str], None]
    ) -> None:
        store.put("studies/a/x", b"")
        put_by_others("studies/a b/x")
        # From minio/minio#15023 and boto/boto3#2347: such names break the XML of a listing.
        for name in ("x~", "x&y", "x+y", "x%2Fy", "x<y"):
            put_by_others(f"studies/a/{name}")
        assert list(store.folders("studies/")) == ["a"]
        assert list(store.list("studies/")) == ["studies/a/x"]

    def test_the_digest_is_that_of_the_content(self, store: ObjectStore) -> None:
        for content in (b"", b"abc", bytes(range(256)) * 40_000):
            store.put("k", content)
            assert store.digest("k") == hashlib.sha256(content).hexdigest()
        with pytest.raises(KeyError):
            store.digest("nothing")

    def test_add_keeps_what_is_there(self, store: ObjectStore) -> None:
        assert store.add("deep/k", b"first")
        assert not store.add("deep/k", b"second")
        assert store.get("deep/k") == b"first"
        assert list(store.list("")) == ["deep/k"]

    def test_of_many_who_add_at_once_one_succeeds(self, store: ObjectStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            added = list(pool.map(lambda i: store.add("k", str(i).encode()), range(40)))
        assert added.count(True) == 1
        assert store.get("k") == str(added.index(True)).encode()

    def test_delete_removes_and_forgives(self, store: ObjectStore) -> None:
        store.put("k", b"x")
        store.delete("k")
        store.delete("k")
        assert not store.exists("k")

    def test_move_replaces_the_target(self, store: ObjectStore) -> None:
        store.put("from", b"new")
        store.put("deep/to", b"old")
        store.move("from", "deep/to")
        assert store.get("deep/to") == b"new"
        assert not store.exists("from")

    def test_moving_nothing_is_a_key_error(self, store: ObjectStore) -> None:
        with pytest.raises(KeyError):
            store.move("nothing", "anywhere")

    @pytest.mark.parametrize(
        "key", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".hidden", "a b", "é", "a\n"]
    )
    def test_a_key_that_could_leave_the_store_is_refused(
        self, store: ObjectStore, key: str
    ) -> None:
        for use in (
            store.get,
            store.exists,
            store.digest,
            store.delete,
            lambda k: store.put(k, b""),
            lambda k: store.add(k, b""),
        ):
            with pytest.raises(StoreError, match="not a valid key"):
                use(key)

    def test_readers_see_a_whole_object_while_it_is_replaced(self, store: ObjectStore) -> None:
        versions = [bytes([i]) * 200_000 for i in range(8)]
        store.put("k", versions[0])
        seen: list[bytes] = []
        failed: list[Exception] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                try:
                    seen.append(store.get("k"))
                except Exception as error:
                    failed.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        for version in versions * 3:
            store.put("k", version)
        done.set()
        reader.join()
        assert seen
        assert not failed
        assert set(seen) <= set(versions)
