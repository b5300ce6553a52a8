"""Python programs and training processes that start at once: forks of one that has imported torch.

Importing torch and what draws the report takes a processor four to eight seconds, a fork a few
hundredths. The process that forks has no threads, which its forks would lack: it has trained
nothing and drawn no chart. It ends when pytest does, even by SIGKILL,
and Linux then ends all that it has forked.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import loky

from memtail_core.running import processes
from tests.servers.process import die_with_parent

ROOT = Path(__file__).parents[1]
_IMPORTED = [
    "pytest",  # else each fork would: it is the main program of this process
    "tests.servers.ends_with_parent",
    "tests.programs",
    "tests.drawn_once",
    "cli.main",
    "memtail_core.report.publication",
    "memtail_core.report.stored_analysis",
    "memtail_core.estimation.influence",
    "memtail_core.running.execution",
    "memtail_core.training",
    "sklearn.neural_network",
    "services.submission",
    "services.worker.task",
    "services.dashboard.app",
    "uvicorn",
    "minio",
    "memtail_core.store.minio",
    "celery.bin.celery",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.concurrency.prefork",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "services.aggregator.aggregator",
    "services.transport",
    "tests.warmed",
]
_TIMEOUT = 600.0  # seconds; far more than anything takes, on a machine with other load too


@cache
def _forking() -> ForkServerContext:
    """The context whose processes are forks of the one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    before = dict(os.environ)
    os.environ.update(processes.ENVIRONMENT, PYTHONPATH=os.pathsep.join((str(ROOT), *sys.path)))
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return context


class Program:
    """A Python program that runs: a module or a file, as ``python -m`` or ``python`` runs it."""

    def __init__(
        self,
        program: str,
        *arguments: str,
        output: Path,
        errors: Path | None = None,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start it; ``output`` and ``errors`` are files, one file where ``errors`` is None."""
        environment = dict(os.environ if env is None else env)
        for file in (output, errors or output):
            file.write_bytes(b"")
        given = (program, arguments, environment, folder or Path.cwd(), output, errors or output)
        self._process: ForkServerProcess = _forking().Process(target=_become, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float = _TIMEOUT) -> int:
        """Wait until it has ended; return its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def run(
    program: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = _TIMEOUT,
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, as :func:`subprocess.run` with captured output does."""
    with tempfile.TemporaryDirectory(prefix="memtail-program-") as kept:
        output, errors = Path(kept, "output"), Path(kept, "errors")
        started = Program(program, *arguments, output=output, errors=errors, env=env, folder=folder)
        try:
            code = started.wait(timeout)
        finally:
            started.kill()
        return subprocess.CompletedProcess(
            [program, *arguments], code, output.read_text(), errors.read_text()
        )


@contextmanager
def pool(workers: int) -> Iterator[loky.ProcessPoolExecutor]:
    """What :func:`memtail_core.running.processes.pool` gives, of forked processes."""
    parent = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    with _pool(workers, _forking(), parent) as made:
        yield made


@contextmanager
def _pool_of_program(workers: int) -> Iterator[loky.ProcessPoolExecutor]:
    """The same for a program that is a fork: its training processes are forks of itself."""
    with _pool(workers, multiprocessing.get_context("fork"), os.getpid()) as made:
        with processes.interrupts_held():
            made.submit(int)
        yield made


class _ForkedPool(loky.ProcessPoolExecutor):  # type: ignore[misc]
    """Processes that a benchmark starts to have their memory for themselves: forks as well."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        if "env" not in named:
            named.setdefault("context", multiprocessing.get_context("fork"))
        super().__init__(*arguments, **named)


@contextmanager
def _pool(workers: int, context: BaseContext, parent: int) -> Iterator[loky.ProcessPoolExecutor]:
    made = loky.ProcessPoolExecutor(
        workers,
        timeout=None,
        context=context,
        initializer=processes._start_worker,
        initargs=(parent,),
    )
    try:
        yield made
    finally:
        made.shutdown(wait=True, kill_workers=True)


def _become(
    program: str,
    arguments: tuple[str, ...],
    env: dict[str, str],
    folder: Path,
    output: Path,
    errors: Path,
) -> None:
    """Be the program, in a fork: with its environment, its folder, its output, its session."""
    os.setsid()
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
    processes.pool = _pool_of_program
    loky.ProcessPoolExecutor = _ForkedPool
    sys.argv = [program, *arguments]
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    try:
        if program.endswith(".py"):
            sys.path.insert(0, str(Path(program).parent))
            runpy.run_path(program, run_name="__main__")
        else:
            sys.path.insert(0, str(folder))
            if not hasattr(sys.modules.get(program), "__path__"):  # a package is not run itself
                sys.modules.pop(program, None)
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
