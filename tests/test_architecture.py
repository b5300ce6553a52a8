"""The house stands: a room imports only from floors below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [  # from the ground up; rooms of one floor do not import each other
    {"errors", "processes"},
    {"validation", "user_code", "settings", "archive"},
    {"study", "arms"},
    {"store"},
    {"shards"},
    {"data"},
    {"catalogue", "failures", "plans", "published"},
    {"training"},
    {"estimation", "neighbours"},
    {"trials", "parallelism", "preparation"},
    {"cost", "tuning"},
    {"execution"},
    {"approximations"},
    {"experiments"},
    {"report"},
]
LEVEL = {room: level for level, floor in enumerate(FLOORS) for room in floor}
FILES = sorted((ROOT / "memtail_core").rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT / "memtail_core").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of all that a file imports, at the top or in a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_room_imports_only_from_below(path: Path) -> None:
    names = imported(path)
    assert not {n for n in names if n.split(".")[0] in ("cli", "services", "celery", "redis")}
    assert not {n for n in names if n.startswith("minio")} or path.match("store/minio/*.py")
    if path.name == "__init__.py" and path.parent.name == "memtail_core":
        return  # the public names, imported when first used
    for name in names:
        parts = name.split(".")
        if parts[0] == "memtail_core" and parts[1] != room(path):
            assert LEVEL[parts[1]] < LEVEL[room(path)], f"{path.name} imports {name}"


def test_every_room_has_its_floor() -> None:
    assert {room(path) for path in FILES} - {"__init__"} == LEVEL.keys()


def test_importing_memtail_imports_no_torch() -> None:
    script = "import sys, memtail_core, cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_every_public_name_is_there() -> None:
    import memtail_core

    for name in memtail_core.__all__:
        assert callable(getattr(memtail_core, name)), name
    assert sorted(memtail_core._HOMES) == sorted(memtail_core.__all__)
    with pytest.raises(AttributeError):
        memtail_core.nothing  # noqa: B018


SERVICES = sorted((ROOT / "services").rglob("*.py"))


@pytest.mark.parametrize("path", SERVICES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_services_import_no_commands_and_not_each_other(path: Path) -> None:
    names = imported(path)
    assert not {name for name in names if name.split(".")[0] == "cli"}
    other = {"worker": "services.aggregator", "aggregator": "services.worker"}.get(path.parent.name)
    assert not other or not {name for name in names if name.startswith(other)}


def test_commands_need_neither_celery_nor_redis_to_start() -> None:
    script = (
        "import sys, cli.main, memtail_core.execution, memtail_core.report; "
        "sys.exit(bool({'celery', 'redis', 'minio'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
