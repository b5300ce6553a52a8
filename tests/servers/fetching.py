"""Programs that are not on this machine: images, builds and packages, fetched once and kept.

As a program it fetches MinIO, which takes longest; nothing has to be installed first.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "memtail-tests"

MINIO_IMAGE = "pgsty/silo:RELEASE.2026-09-03T13-18-01Z"  # as docker-compose.yml
_MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
_BUILD = 900.0
_PULL = 60.0
_ASK = 20.0
_AGAIN = 3600.0  # seconds until what failed is tried again
_PROVIDED = {"adduser", "libc6", "iproute2", "libnss3-tools", "media-types", "nginx-common"}


def image(name: str) -> bool:
    """Tell whether Docker works here and has the image, or gets it within a minute."""
    if shutil.which("docker") is None or not _ran(["docker", "info"], _ASK):
        return False
    if _ran(["docker", "image", "inspect", name], _ASK):
        return True
    with _once(f"image-{name.replace('/', '-')}") as first:
        return first and _ran(["docker", "pull", "--quiet", name], _PULL)


def minio() -> str | None:
    """MinIO's server: a program, or else the image, or else what is built; None without any."""
    installed_one = shutil.which("minio")
    if installed_one or image(MINIO_IMAGE):
        return installed_one or MINIO_IMAGE
    return str(_built_minio() or "") or None


def _built_minio() -> Path | None:
    """Built from its source by Go, if there is one: it takes two minutes."""
    program = CACHE / "bin" / "minio"
    with _once("minio") as first:
        if not program.exists() and first and shutil.which("go") is not None:
            building = CACHE / "building"
            if _ran(["go", "install", _MINIO], _BUILD, GOBIN=str(building)):
                program.parent.mkdir(exist_ok=True)
                (building / "minio").replace(program)
        return program if program.exists() else None


def unpacked_redis() -> Path | None:
    """Redis' server from Debian's packages."""
    return _unpacked("redis", "usr/bin/redis-server", "redis-server", "redis-tools")


def unpacked_nginx() -> Path | None:
    """nginx from Debian's packages."""
    return _unpacked("nginx", "usr/sbin/nginx", "nginx")


def unpacked_caddy() -> Path | None:
    """Caddy from Debian's packages."""
    return _unpacked("caddy", "usr/bin/caddy", "caddy")


def _unpacked(name: str, program: str, *packages: str) -> Path | None:
    """A program from Debian's packages, unpacked and not installed: no service starts."""
    folder = CACHE / name
    path = folder / program
    with _once(name) as first:
        if not path.exists() and first and shutil.which("apt-get") is not None:
            if os.geteuid() == 0:
                _ran(["apt-get", "update"], _BUILD)
            asked = ["apt-cache", "depends", packages[-1]]
            listed = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
            needed = {line.split()[-1] for line in listed.splitlines() if "Depends: " in line}
            wanted = {*packages, *needed} - _PROVIDED
            folder.mkdir(parents=True, exist_ok=True)
            if _ran(["apt-get", "download", *sorted(wanted)], _BUILD, folder=folder):
                for package in folder.glob("*.deb"):
                    _ran(["dpkg", "-x", str(package), str(folder)], _ASK)
        return path if path.exists() else None


def installed(package: str) -> bool:
    """Install a package of Debian's with all it needs, which takes root."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    with _once(package) as first:
        if not first:
            return False
        command = ["apt-get", "install", "--yes", "--no-install-recommends", package]
        return _ran(["apt-get", "update"], _BUILD) and _ran(
            command, _BUILD, DEBIAN_FRONTEND="noninteractive"
        )


def libraries(program: Path) -> dict[str, str]:
    """The environment in which an unpacked program finds its libraries."""
    folders = sorted({str(path.parent) for path in program.parents[2].rglob("lib*.so*")})
    return {"LD_LIBRARY_PATH": ":".join(folders)}


def _ran(
    command: list[str], seconds: float, folder: Path | None = None, **environment: str
) -> bool:
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0


@contextmanager
def _once(what: str) -> Iterator[bool]:
    """One process at a time; tells whether no other has tried within the hour, which had failed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{what}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        tried = float(lock.read() or 0)
        first = time.time() - tried > _AGAIN
        if first:
            lock.truncate(0)
            lock.write(str(time.time()))
            lock.flush()
        yield first


if __name__ == "__main__" and "MEMTAIL_TEST_S3_ENDPOINT" not in os.environ:
    minio()
