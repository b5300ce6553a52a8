"""The compose files and images as text: what is open, what is secret, what is pinned.

That they work is shown by tests/compose.sh, which needs Docker.
"""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from memtail_core.settings import Settings

ROOT = Path(__file__).parent.parent
FILES = sorted([ROOT / "docker-compose.yml", *ROOT.glob("compose.*.yml")])
TEXT = {each.name: each.read_text() for each in FILES}
EVERYTHING = "\n".join(TEXT.values())
DOCKERFILES = [ROOT / "services" / each / "Dockerfile" for each in ("worker", "aggregator")]
EXAMPLE = (ROOT / ".env.example").read_text()
IS_SECRET = re.compile("PASSWORD|SECRET|ACCESS_KEY|AUTH|TOKEN")
SETTINGS = {f"MEMTAIL_{name.upper()}" for name in Settings.model_fields}


def test_ports_are_bound_to_this_machine_unless_told_otherwise() -> None:
    lines = re.findall(r"^ *ports:.*", EVERYTHING, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        bind = r"\$\{MEMTAIL_(DASHBOARD_)?BIND:-127\.0\.0\.1\}"
        assert re.fullmatch(rf' *ports: \["{bind}:[^"]*"\]', line)
    assert "network_mode" not in EVERYTHING
    assert "privileged" not in EVERYTHING.replace("no-new-privileges", "")


def test_no_secret_has_a_default() -> None:
    used = re.findall(r"\$\{(\w+)([^}]*)\}", EVERYTHING)
    secret = [(name, rest) for name, rest in used if IS_SECRET.search(name)]
    assert len(secret) > 8
    assert all(rest.startswith(":?") for _, rest in secret)
    # Nor is one written down: a key whose name is a secret's has a variable for its value.
    for key, value in re.findall(r"^ *([A-Z_0-9]+): (.*)", EVERYTHING, re.MULTILINE):
        assert not IS_SECRET.search(key) or value.startswith("${"), key
    for name, value in re.findall(r"^#?(\w+)=(.*)", EXAMPLE, re.MULTILINE):
        assert not re.search("PASSWORD|SECRET|TOKEN", name) or not value, name


def test_code_that_a_study_names_is_not_run_unless_told_so() -> None:
    found = re.findall(r"MEMTAIL_ALLOW_PYTHON_RECIPES: (.*)", EVERYTHING)
    assert found == ["${MEMTAIL_ALLOW_PYTHON_RECIPES:-0}"]


def test_every_image_and_package_is_pinned() -> None:
    images = re.findall(r"(?:image|PYTHON_IMAGE): \$\{\w+:-([^}]*)\}", EVERYTHING)
    assert len(images) == len(re.findall(r"^ *(?:image|PYTHON_IMAGE):", EVERYTHING, re.MULTILINE))
    for dockerfile in DOCKERFILES:
        images += re.findall(r"^ARG PYTHON_IMAGE=(.*)", dockerfile.read_text(), re.MULTILINE)
        assert set(re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)) == {
            "${PYTHON_IMAGE}",
            "builder",
        }
    assert len({each for each in images if each.startswith("python:")}) == 1
    for each in images:
        assert re.fullmatch(r"[\w/-]+:(?!latest)[\w.-]*\d[\w.-]*", each), each
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {*project["dependencies"], *extras["cluster"], *extras["dashboard"]}
    pinned, more = installed("requirements.txt"), installed("requirements-backbones.txt")
    assert names(needed - {"memtail[cluster]"}) <= pinned
    assert names(extras["backbones"]) <= more
    assert not pinned & more, "two lists cannot pin one package twice"


def installed(file: str) -> set[str]:
    """The packages of a list, each of which has to be pinned."""
    lines = (ROOT / "services" / file).read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned)
    return names(pinned)


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split("[<>=]", each)[0].lower().replace("_", "-") for each in requirements}


def test_every_setting_that_is_passed_on_is_one() -> None:
    """One that is misspelt would be ignored without a word."""
    passed = set(re.findall(r"^ *(MEMTAIL_\w+):", EVERYTHING, re.MULTILINE))
    assert passed <= SETTINGS
    named = set(re.findall(r"^#?(MEMTAIL_\w+)=", EXAMPLE, re.MULTILINE))
    assert named <= SETTINGS | set(re.findall(r"\$\{(\w+)", EVERYTHING))
    assert set(re.findall(r"\$\{(MEMTAIL_\w+):\?", EVERYTHING)) <= named


def test_the_images_share_their_layers() -> None:
    """All but the last lines of the two are the same, so the second is built in seconds."""
    worker, aggregator = (
        [line for line in each.read_text().splitlines() if not line.startswith("#")]
        for each in DOCKERFILES
    )
    same = worker.index("VOLUME /var/cache/memtail")
    assert worker[:same] == aggregator[:same]


def test_the_dashboard_has_no_rights_but_to_serve() -> None:
    service = re.search(r"^  dashboard:.*?(?=^\S|^  \w)", TEXT["docker-compose.yml"], re.M | re.S)
    assert service
    assert re.search(r"^    read_only: true$", service[0], re.MULTILINE)
    assert re.search(r"^    cap_drop: \[ALL\]$", service[0], re.MULTILINE)
    assert re.search(r"^    security_opt: \[no-new-privileges:true\]$", service[0], re.MULTILINE)
    assert "build:" not in service[0], "the aggregator's image, which gives up root"
    assert "USER 10001" in (ROOT / "services" / "aggregator" / "Dockerfile").read_text()


def test_a_worker_has_the_time_to_give_its_shard_back() -> None:
    grace = re.search(r"MEMTAIL_GRACE: (\d+)", EVERYTHING)
    patience = re.search(r"stop_grace_period: (\d+)m", EVERYTHING)
    assert grace
    assert patience
    assert 60 * int(patience[1]) >= int(grace[1]) + 30


def _compose() -> list[str] | None:
    if shutil.which("docker"):
        found = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if found.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


def _config(folder: Path, *names: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """What compose makes of these files, with these variables and an empty .env."""
    compose = _compose()
    if compose is None:
        pytest.skip("docker compose is not installed")
    files = [part for name in names for part in ("-f", str(ROOT / name))]
    mine = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    empty = folder / "empty"
    empty.touch()
    command = [*compose, "--project-directory", str(ROOT), "--env-file", str(empty), *files]
    return subprocess.run(
        [*command, "config"],
        cwd=folder,
        env=mine | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "names",
    [
        ["docker-compose.yml"],
        ["docker-compose.yml", "compose.gpu.yml"],
        ["docker-compose.yml", "compose.keys.yml"],
        ["compose.worker.yml"],
        ["compose.worker.yml", "compose.ca.yml"],
        ["compose.worker.yml", "compose.gpu.yml", "compose.join.yml"],
    ],
    ids=" ".join,
)
def test_compose_accepts_the_files(tmp_path: Path, names: list[str]) -> None:
    used = set(re.findall(r"\$\{(MEMTAIL_\w+):\?", EVERYTHING))
    found = _config(tmp_path, *names, **dict.fromkeys(used, "http://a:1"))
    assert found.returncode == 0, found.stderr


def test_without_settings_compose_says_what_to_do(tmp_path: Path) -> None:
    found = _config(tmp_path, "docker-compose.yml")
    assert found.returncode != 0
    assert "make .env from .env.example first" in found.stderr
