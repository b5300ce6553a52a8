"""The house stands: rooms import only from rooms below them, and no two files import each other."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = [  # of memtail_core, from the ground up
    "compiled",
    "errors",
    "settings",
    "store",
    "study",
    "data",
    "plan",
    "training",
    "estimation",
    "catalogue",
    "running",
    "drawing",
    "analysis",
    "approximations",
    "experiments",
    "report",
    "exchange",
    "notebook",
]
PACKAGES = ["memtail_core", "services", "cli"]  # likewise
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imported(source: str) -> set[str]:
    """Full names of all that a file imports, at the top or in a function."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def is_upward(importer: str, name: str) -> bool:
    """Whether the file ``importer`` may not import ``name``."""
    mine, theirs = importer.split("."), name.split(".")
    if theirs[0] not in PACKAGES:
        return False
    if mine[0] != theirs[0]:
        return PACKAGES.index(theirs[0]) > PACKAGES.index(mine[0])
    if mine[0] != "memtail_core" or len(mine) == 1:  # the public names, imported when first used
        return False
    return theirs[1] in ROOMS and ROOMS.index(theirs[1]) > ROOMS.index(mine[1])


def circles(sources: dict[str, str]) -> list[set[str]]:
    """The sets of files that import each other, directly or through others."""
    needs = {
        name: {
            found
            for each in imported(source)
            if (found := each if each in sources else each.rpartition(".")[0]) in sources
            and found != name
        }
        for name, source in sources.items()
    }
    while free := {name for name, others in needs.items() if not others & needs.keys()}:
        needs = {name: others for name, others in needs.items() if name not in free}
    reachable = {name: others & needs.keys() for name, others in needs.items()}
    for _ in needs:
        reachable = {
            name: others.union(*(reachable[other] for other in others))
            for name, others in reachable.items()
        }
    found = [
        {other for other in others if name in reachable[other]}
        for name, others in reachable.items()
        if name in others
    ]
    return [each for i, each in enumerate(found) if each not in found[:i]]


def test_files_import_only_from_below() -> None:
    assert not [
        f"{name} imports {each}"
        for name, path in FILES.items()
        for each in imported(path.read_text())
        if is_upward(name, each)
    ]


def test_an_upward_import_is_found() -> None:
    assert is_upward("memtail_core.plan.shards", "memtail_core.report.publish")
    assert is_upward(
        "memtail_core.analysis.pair_queries", "memtail_core.experiments.results.Result"
    )
    assert is_upward("memtail_core.errors", "cli.main")
    assert is_upward("services.queue", "cli.main")
    assert not is_upward("cli.run", "memtail_core.report.publish")
    assert not is_upward("memtail_core.report.tables", "memtail_core.plan.shards.Shard")


def test_no_files_import_each_other() -> None:
    assert circles({name: path.read_text() for name, path in FILES.items()}) == []


def test_a_circle_is_found() -> None:
    sources = {
        "a": "import b",
        "b": "def f():\n    from c.d import x",
        "c.d": "from a import y",
        "e": "import a",
        "f": "",
    }
    assert circles(sources) == [{"a", "b", "c.d"}]
    assert circles(sources | {"c.d": "from f import y"}) == []


def test_every_room_has_its_floor() -> None:
    rooms = {name.split(".")[1] for name in FILES if name.startswith("memtail_core.")}
    assert rooms == set(ROOMS)


def test_the_core_needs_no_queue_and_the_bucket_in_one_place_only() -> None:
    for name, path in FILES.items():
        if name.startswith("memtail_core"):
            packages = {each.split(".")[0] for each in imported(path.read_text())}
            assert not packages & {"celery", "redis"}, name
            assert "minio" not in packages or name.startswith("memtail_core.store.minio"), name


def test_worker_and_aggregator_do_not_import_each_other() -> None:
    for mine, other in (("worker", "aggregator"), ("aggregator", "worker")):
        for name, path in FILES.items():
            if name.startswith(f"services.{mine}"):
                names = imported(path.read_text())
                assert not {each for each in names if each.startswith(f"services.{other}")}, name


def all_examples(source: str) -> list[str]:
    """Where a file asks for all examples of a dataset at once."""
    return re.findall(r"\.whole\(\)|\.take\(slice\(None\)\)|\bdataset\.x_(?:train|test)", source)


@pytest.mark.parametrize("name", FILES)
def test_only_two_rooms_ask_for_all_examples_at_once(name: str) -> None:
    if name.split(".")[:2] not in (["memtail_core", "data"], ["memtail_core", "training"]):
        assert all_examples(FILES[name].read_text()) == []


def test_asking_for_all_examples_is_found() -> None:
    assert all_examples("x = analysis.dataset.train.whole()")
    assert all_examples("x = each.take(slice(None))")
    assert all_examples("x = self.dataset.x_train[3]")
    assert not all_examples("x = dataset.train.take([3]), dataset.train.take(slice(None, 5))")


def modality_branches(source: str) -> list[str]:
    """Where a file asks which modality the data are of, instead of asking the modality."""
    return re.findall(r"(?:modality\.name|\bkind) (?:==|!=) [\"'](?:images|features)", source)


@pytest.mark.parametrize("name", FILES)
def test_no_file_branches_on_the_name_of_a_modality(name: str) -> None:
    assert modality_branches(FILES[name].read_text()) == []


def test_a_branch_on_the_name_of_a_modality_is_found() -> None:
    assert modality_branches('if dataset.modality.name == "images":')
    assert modality_branches("rows = study.dataset.kind != 'features'")
    assert not modality_branches("if dataset.modality.is_pictured:")


def test_what_trains_nothing_imports_no_torch() -> None:
    script = (
        "import sys, memtail_core, cli.main, cli.submit, services.submission, "
        "memtail_core.running.model_cost, memtail_core.analysis.measuring; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("recipe", ["mlp", "linear"])
def test_a_new_study_is_checked_without_torch(recipe: str, tmp_path: Path) -> None:
    """Its import takes seconds, and ``memtail submit`` trains nothing."""
    (tmp_path / "data.csv").write_text("a,b,label\n" + "1,2,x\n3,5,y\n" * 8)
    script = (
        "import sys; from memtail_core.running.preparation import prepare; "
        "from memtail_core.study import Spec; "
        "prepare(Spec.parse({'dataset': {'source': 'csv:data.csv', 'label': 'label'}, "
        f"'training': {{'recipe': '{recipe}'}}}})); "
        "sys.exit(bool({'torch', 'numba', 'sklearn'} & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0


def test_a_command_does_not_wait_for_the_others() -> None:
    script = (
        "import sys; from cli.main import main; main.commands['status']; "
        "sys.exit(bool({'cli.run', 'cli.experiment', 'PIL', 'pyarrow'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_who_asks_the_cluster_imports_nothing_that_estimates() -> None:
    """Compiled loops and scipy are half of what the dashboard would take to start."""
    script = (
        "import sys, services.dashboard.__main__, services.submission, cli.submit, cli.stopping; "
        "cli.stopping.stopping_of((), None, None); "
        "sys.exit(bool({'torch', 'numba', 'scipy', 'sklearn', 'pandas'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_commands_need_neither_celery_nor_redis_to_start() -> None:
    script = (
        "import sys, memtail_core.running.execution, memtail_core.report; "
        "from cli.main import main; list(main.commands.items()); "
        "sys.exit(bool({'celery', 'redis', 'minio'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_every_public_name_is_there() -> None:
    import memtail_core

    for name in memtail_core.__all__:
        assert callable(getattr(memtail_core, name)), name
    assert sorted(memtail_core._HOMES) == sorted(memtail_core.__all__)
    with pytest.raises(AttributeError):
        memtail_core.nothing  # noqa: B018
