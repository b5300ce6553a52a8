import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from memtail_core.errors import StoreError
from memtail_core.store import FilesStore, open_store
from tests.store.contract import StoreContract


class TestFilesStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FilesStore:
        return FilesStore(tmp_path / "runs")

    @pytest.fixture
    def put_by_others(self, store: FilesStore) -> Callable[[str], None]:
        def put(name: str) -> None:
            path = Path(store.location) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

        return put


def test_the_folder_is_made_only_when_something_is_put(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "runs"))
    assert list(store.list("studies/")) == []
    assert not (tmp_path / "runs").exists()
    store.put("k", b"x")
    assert (tmp_path / "runs" / "k").read_bytes() == b"x"


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file: give a folder"):
        FilesStore(tmp_path / "file")


def test_a_full_disk_is_said_and_leaves_the_old_object(tmp_path: Path) -> None:
    """A real limit on file size makes the operating system refuse the write halfway."""
    script = (
        "import resource, signal, sys\n"
        "from memtail_core.store import FilesStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = FilesStore(sys.argv[1])\n"
        "store.put('k', b'old')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    store.put('k', b'n' * 5000)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    assert resource.RLIMIT_FSIZE is not None
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("StoreError cannot write k in the store")
    assert (tmp_path / "k").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["k"], "the partial file is removed"


def test_no_space_left_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match=r"is full .* run the same command again; what is stored"):
        FilesStore(tmp_path).put("k", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_write_in_progress_is_never_listed(tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    store.put("a/whole", b"x")
    (tmp_path / "a" / ".partial-abc").write_bytes(b"half")
    assert list(store.list("a/")) == ["a/whole"]


def test_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        FilesStore(tmp_path / "runs").put("k", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "runs" / "k").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_writer_left_is_swept_a_day_later(tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    store.put("a/b", b"")
    old, fresh = tmp_path / "a" / ".partial-old", tmp_path / "a" / ".partial-fresh"
    old.touch()
    fresh.touch()
    os.utime(old, (0, 0))
    store.put("a/c", b"")
    assert not old.exists()
    assert fresh.exists(), "its writer may be at work"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        FilesStore(tmp_path).put("k", b"x")


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on exFAT and some network file systems."""

    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("without_links")
class TestFilesStoreWithoutLinks(TestFilesStore):
    """The whole contract, adding by many at once included."""


@pytest.mark.usefixtures("without_links")
def test_add_leaves_no_trace_that_is_listed(tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    assert store.add("deep/k", b"first")
    assert not store.add("deep/k", b"second")
    assert store.get("deep/k") == b"first"
    assert list(store.list("")) == ["deep/k"]


@pytest.mark.usefixtures("without_links")
def test_a_reader_never_sees_half_of_what_is_added_without_links(tmp_path: Path) -> None:
    """As it reads a tuning file that another process is just writing."""
    store, content, sizes = FilesStore(tmp_path), b"x" * 20_000_000, set[int]()
    with ThreadPoolExecutor(1) as pool:
        for number in range(5):
            adding = pool.submit(store.add, f"k{number}", content)
            while not adding.done():
                with suppress(KeyError):
                    sizes.add(len(store.get(f"k{number}")))
            assert adding.result()
    assert sizes <= {len(content)}
