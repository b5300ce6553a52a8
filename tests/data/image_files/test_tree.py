"""What lies below a folder: links, hidden parts, loops."""

import os
import socket

import pytest

from memtail_core.data.image_files.tree import tree


def touch(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_files_are_sorted_folder_by_folder_and_linked_folders_are_entered(tmp_path):
    root = tmp_path / "photos"
    touch(root / "b/1", root / "a-b/1", root / "a/c/1", root / "a/b", tmp_path / "pool/x/2")
    (root / "b/more").symlink_to(tmp_path / "pool")
    (root / "b/linked").symlink_to(tmp_path / "pool/x/2")
    listed = tree(str(root))
    assert listed.files == ["a/b", "a/c/1", "a-b/1", "b/1", "b/linked", "b/more/x/2"]
    assert listed.folders == ["a", "a/c", "a-b", "b", "b/more", "b/more/x"]


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", ".thumbnails", "__MACOSX", "@eaDir", "$RECYCLE.BIN"]
)
def test_hidden_parts_are_counted_and_skipped_at_every_depth(tmp_path, name):
    """Hidden folders as classes: pytorch/vision#2831; Synology's: photoview/photoview#430."""
    touch(tmp_path / "a/1", tmp_path / name / "1", tmp_path / "a" / name / "cat/2")
    touch(tmp_path / "a/b/._1", tmp_path / "a/.DS_Store")
    listed = tree(str(tmp_path))
    assert (listed.files, listed.hidden) == (["a/1"], 4)
    assert listed.folders == ["a", "a/b"]


def test_a_folder_whose_own_path_is_hidden_is_read(tmp_path):
    touch(tmp_path / ".cache/photos/a/1")
    assert tree(str(tmp_path / ".cache/photos")).files == ["a/1"]


def test_links_to_a_folder_around_them_are_not_followed_for_ever(tmp_path):
    """twisted/twisted#3098: a walk that follows links never ends."""
    touch(tmp_path / "a/1", tmp_path / "b/1")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/b").symlink_to(tmp_path / "b")
    (tmp_path / "b/a").symlink_to(tmp_path / "a")
    listed = tree(str(tmp_path))
    assert listed.files == ["a/1", "a/b/1", "b/1", "b/a/1"]
    assert listed.loops == ["a/b/a", "a/up", "b/a/b", "b/a/up"]


def test_links_to_nowhere_and_folders_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    touch(tmp_path / "a/1", tmp_path / "locked/1")
    (tmp_path / "a/gone").symlink_to("/nowhere/x.png")
    (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
    scan = os.scandir

    def scandir(place):
        if str(place).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", scandir)
    listed = tree(str(tmp_path))
    faults = dict(listed.unreadable)
    assert listed.files == ["a/1"]
    assert sorted(faults) == ["a/gone", "a/self", "locked"]
    assert "a link to '/nowhere/x.png': No such file" in faults["a/gone"]
    assert faults["locked"] == "Permission denied"


def test_pipes_and_sockets_are_no_files(tmp_path, monkeypatch):
    touch(tmp_path / "1")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        listed = tree(str(tmp_path))
    assert (listed.files, listed.others) == (["1"], ["pipe.png", "socket.png"])
