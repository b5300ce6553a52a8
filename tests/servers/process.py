"""A server as a process of its own that can be stopped, frozen, emptied, and never outlives us."""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

_STARTS = 60.0  # seconds in which a server has to answer
_ENDS = 10.0
_TRIES = 3
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A port that nobody has just now, below those that systems give to connections by themselves.

    One of those could be taken by some connection before, or while, its server is restarted.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Startable(Protocol):
    """A server that is not running yet."""

    def start(self) -> None:
        """Start it, or raise OSError."""

    def stop(self) -> None:
        """End it."""


S = TypeVar("S", bound=Startable)


@contextlib.contextmanager
def running(make: Callable[[], S]) -> Iterator[S]:
    """Run what ``make`` makes, each time with another port: one may be taken in between."""
    for tries_left in reversed(range(_TRIES)):
        server = make()
        try:
            server.start()
            break
        except OSError:
            if not tries_left:
                raise
    try:
        yield server
    finally:
        server.stop()


@dataclass
class ServerProcess:
    """One server: how to start it, and what it is doing now.

    Attributes:
        command: what to run; on a free port, which it keeps.
        folder: where it keeps its data.
        answers: whether it answers; may raise OSError.
        container: its name, if ``command`` is ``docker run``.
    """

    command: list[str]
    folder: Path
    answers: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    container: str | None = None
    _running: subprocess.Popen[bytes] | None = None
    _refused: str = ""

    def start(self, *, empty: bool = False) -> None:
        """Start it, or start it again, with what it had or with nothing; wait till it answers."""
        self.stop()
        if empty:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder.with_suffix(".log")
        ending = signal.SIGKILL if self.container is None else signal.SIGTERM  # tell docker gently
        with log.open("ab") as output:
            self._running = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=partial(die_with_parent, ending),  # noqa: PLW1509
            )
        until = time.monotonic() + _STARTS
        while not self._answers():
            if self._running.poll() is not None or time.monotonic() > until:
                self.stop()
                said = log.read_text()[-2000:]
                raise OSError(f"{self.command[0]} does not start ({self._refused}): {said}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Of the server that runs now."""
        assert self._running is not None, "it does not run"
        return self._running.pid

    def stop(self) -> None:
        """End it. What it kept stays in its folder."""
        running, self._running = self._running, None
        if running is None:
            return
        running.send_signal(signal.SIGCONT)
        running.terminate()
        try:
            running.wait(_ENDS)
        except subprocess.TimeoutExpired:
            if self.container is not None:
                subprocess.run(["docker", "kill", self.container], capture_output=True, check=False)
            running.kill()
            running.wait()

    def freeze(self) -> None:
        """Let it take connections and say nothing, until :meth:`thaw`."""
        self._signal(signal.SIGSTOP, "pause")

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT, "unpause")

    def _signal(self, signum: signal.Signals, docker: str) -> None:
        if self.container is not None:
            subprocess.run(["docker", docker, self.container], capture_output=True, check=True)
        elif self._running is not None:
            self._running.send_signal(signum)

    def _answers(self) -> bool:
        try:
            return self.answers()
        except OSError as refused:
            self._refused = repr(refused)
            return False


def die_with_parent(number: signal.Signals) -> None:
    """Have Linux send this process a signal when its parent dies, even if that is killed.

    It does when the THREAD that started the process ends: start servers in the main thread.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))
