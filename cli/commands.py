"""Every command by its name, in the sections of ``memtail --help``; imported when it is used."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

EXPERIMENTS = "Experiments"
_SECTIONS: dict[str, tuple[str, ...]] = {  # each command is in a file of its name
    "Studies": ("demo", "run", "status", "report", "dashboard", "pack", "doctor"),
    "Results": ("scores", "pairs", "influence", "approximate"),
    "Other projects": ("import", "export", "relabel"),
    EXPERIMENTS: (),
    "Cluster": ("submit", "watch", "workers", "cancel", "retry", "fetch"),
}
_RENAMED = {"import": "import_bank"}  # a word of Python
_IN_FILES = {name for names in _SECTIONS.values() for name in names}


class Commands(MutableMapping[str, click.Command]):
    """The commands by name.

    A command imports what it needs, and experiments have many files: who asks for one command does
    not wait for the others.
    """

    def __init__(self) -> None:
        self._imported: dict[str, click.Command] = {}
        self._names: list[str] | None = None

    def sections(self) -> Iterator[tuple[str, list[click.Command]]]:
        """Yield each section's title and its commands, in the order in which you need them."""
        for title, names in _SECTIONS.items():
            listed = self._of_experiments() if title == EXPERIMENTS else names
            yield title, [self[name] for name in listed]

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._imported and name in _IN_FILES:
            own = _RENAMED.get(name, name)
            self._imported[name] = getattr(import_module(f"cli.{own}"), own)
        elif name not in self._imported:
            self._of_experiments()
        return self._imported[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._imported[name] = command

    def __delitem__(self, name: str) -> None:
        del self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter({*_IN_FILES, *self._of_experiments(), *self._imported})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _of_experiments(self) -> list[str]:
        """The names of the commands of experiments, which their registry has."""
        if self._names is None:
            from cli.experiment import commands

            made = {each.name or "": each for each in commands()}
            self._imported = made | self._imported
            self._names = list(made)
        return self._names
