"""Lists every file below a folder once: links are followed, hidden parts are only counted."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

_SYSTEM = {  # folders that operating systems and network drives add, in lower case
    *("__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin"),
    *("system volume information", "lost+found"),
}

Identity = tuple[int, int]  # device and inode: what a folder is, whatever leads to it


@dataclass
class Tree:
    """What lies below a folder; paths are relative to it, with ``/``.

    Attributes:
        files: the files that a user sees, sorted folder by folder.
        folders: the folders that a user sees, sorted.
        hidden: how many files are hidden, or lie in hidden folders or in those of the system.
        loops: links to a folder that they lie in; not followed.
        others: what is neither file nor folder, as pipes and sockets.
        unreadable: links that lead nowhere and folders that cannot be read, each with the reason.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    hidden: int = 0
    loops: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is not for users: ``.git``, ``__MACOSX``."""
    return name.startswith(".") or name.lower() in _SYSTEM


def tree(root: str) -> Tree:
    """List what lies below the folder ``root``.

    A folder is entered once for each way that leads to it, but never from within itself.
    """
    found = Tree()
    waiting: list[tuple[str, frozenset[Identity]]] = [("", frozenset())]
    while waiting:
        folder, ancestors = waiting.pop()
        try:
            place = Path(root) / folder
            status = place.stat()
            identity = (status.st_dev, status.st_ino)
            if identity in ancestors:
                found.loops.append(folder)
                continue
            with os.scandir(place) as scanned:
                entries = list(scanned)
        except OSError as error:
            found.unreadable.append((folder, error.strerror or str(error)))
            continue
        if folder:
            found.folders.append(folder)
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if is_hidden(entry.name):
                found.hidden += _count(entry)
            elif _kind(entry, path, found) == "folder":
                waiting.append((path, ancestors | {identity}))
    for paths in (found.files, found.folders, found.loops, found.others):
        paths.sort(key=lambda path: path.split("/"))
    found.unreadable.sort()
    return found


def _kind(entry: os.DirEntry[str], path: str, found: Tree) -> str:
    """Put what is no folder into its list; return "folder" for a folder."""
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_file(follow_symlinks=False):
            found.files.append(path)
            return "file"
        mode = entry.stat().st_mode  # of what a link leads to
    except OSError as error:
        reason = error.strerror or str(error)
        if entry.is_symlink():
            reason = f"a link to '{Path(entry.path).readlink()}': {reason}"
        found.unreadable.append((path, reason))
        return "unreadable"
    if stat.S_ISDIR(mode):
        return "folder"
    (found.files if stat.S_ISREG(mode) else found.others).append(path)
    return "other"


def _count(entry: os.DirEntry[str]) -> int:
    """The files in what is hidden, without following links."""
    if not entry.is_dir(follow_symlinks=False):
        return 1
    return sum(len(files) for _, _, files in os.walk(entry.path))
