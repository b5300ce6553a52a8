"""The registry lists every experiment, and reads the results of the version before."""

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import memtail_core.experiments
from memtail_core.experiments import registry
from memtail_core.experiments.results import Result

OLD = Path(__file__).parent / "old_results"  # written by the version before the registry


def test_every_folder_is_listed_and_every_name_is_used_once() -> None:
    (home,) = memtail_core.experiments.__path__
    folders = {each.parent.name for each in Path(home).glob("*/__init__.py")}
    assert {each.rpartition(".")[2] for each in registry.FOLDERS} == folders
    names = [each.result.experiment for each in registry.experiments()]
    assert len(set(names)) == len(names) == len(registry.FOLDERS)


@pytest.mark.parametrize("folder", registry.FOLDERS)
def test_folders_look_alike(folder: str) -> None:
    files = {path.name for path in Path(*folder.split(".")).glob("*.py")}
    assert {"experiment.py", "result.py", "section.py", "figure.py"} <= files
    command = registry.experiments()[registry.FOLDERS.index(folder)].command
    if command is not None:
        assert "plan.py" in files
        first, *_ = (inspect.getdoc(command.run) or "").splitlines()
        assert first.endswith((".", "?"))
        assert len(first) < 64, "the list of commands shows it whole"
        assert all(field.description for field in command.options.model_fields.values())


def test_listing_the_commands_imports_nothing_slow() -> None:
    script = (
        "import sys; from cli.main import main; list(main.commands.items()); "
        "sys.exit(bool({'torch', 'altair', 'scipy', 'sklearn'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


OF_JUDGE = {
    "by_memorization", "duplicates", "losses", "memorized", "mislabeled", "repeats", "share_high",
    "share_low", "tests", "with_duplicate", "wrong_labels",
}  # fmt: skip
OF_SUBGROUPS = {"wrong_low", "wrong_high"}
OF_PRIVACY = {"few", "strict", "epsilon", "no_epsilon", "target"}


def added(old: Any, new: Any) -> Iterator[str]:
    """Check that ``new`` is ``old`` and more keys, which come last; yield these, however deep."""
    if isinstance(old, dict):
        assert list(new)[: len(old)] == list(old), "in the same order; new keys come last"
        yield from list(new)[len(old) :]
        for key in old:
            yield from added(old[key], new[key])
    elif isinstance(old, list):
        for one, other in zip(old, new, strict=True):
            yield from added(one, other)
    else:
        assert new == old


@pytest.mark.parametrize("path", sorted(OLD.iterdir()), ids=lambda path: path.stem)
def test_results_of_the_version_before_are_read(path: Path) -> None:
    text = path.read_text()
    (experiment,) = (
        each
        for each in registry.experiments()
        if path.stem == each.result.experiment
        or path.stem.startswith(f"{each.result.experiment}-with-")
    )
    result: Result = experiment.result.model_validate_json(text)
    assert result.name == path.stem
    old, new = json.loads(text), result.model_dump(mode="json")
    assert set(added(old, new)) <= {"estimator", "measure", *OF_JUDGE, *OF_PRIVACY, *OF_SUBGROUPS}


def test_old_results_are_there_for_every_experiment() -> None:
    kinds = {path.stem.partition("-with-")[0] for path in OLD.iterdir()}
    assert kinds >= {each.result.experiment for each in registry.experiments()}
