"""``python -m services.worker``: a Celery worker with the flags that suit training."""

import os
import socket
import subprocess
import sys
import time
import uuid

from memtail_core.errors import MachineError, MemtailError, StoreError
from memtail_core.running.processes import ENVIRONMENT
from memtail_core.settings import Settings
from memtail_core.settings import settings as read_settings
from memtail_core.store import open_store

# Before anything imports torch: one thread per process, the same bits each time, and no CUDA in the
# process that forks.
os.environ.update(ENVIRONMENT, PYTORCH_NVML_BASED_CUDA_CHECK="1")


_SILENCE, _AGAIN = 30.0, 1.0  # seconds between two lines, and between two tries


def main() -> None:
    """Start the worker in this process, which gets the signals; never return."""
    from services import broker
    from services.presence import Presence, version_here

    settings = read_settings()
    device, n_devices = _device(settings.device)
    now = time.time()
    worker = Presence(
        # Unique: a restarted container has the same host name and process ids again.
        name=f"{device.replace(':', '-')}-{uuid.uuid4().hex[:6]}@{socket.gethostname()}",
        role="worker",
        device=device,
        store=settings.store,
        since=now,
        idle_since=now,
        version=version_here(),
    )
    connected = f"{device}, store {settings.store}, broker {broker.address(settings)}"
    print(f"memtail worker {worker.name}: {connected}", flush=True)
    _wait_for_redis(settings)
    _wait_for_store(settings)
    from services.queue import TASK, app, queue_of  # these import torch, which takes a while
    from services.worker import drain, heartbeat, task

    heartbeat.start(app, settings, worker)
    drain.on_sigterm(settings.grace)
    assert task.train.name == TASK  # importing the task registers it
    try:
        app.worker_main(
            [
                "worker",
                "--pool=prefork",  # solo loses its task when it is stopped
                f"--concurrency={settings.processes if device == 'cpu' else n_devices}",
                f"--queues={queue_of(device)}",
                f"--hostname={worker.name}",
                "--loglevel=INFO",
                "--without-gossip",
                "--without-mingle",
            ]
        )
    finally:
        heartbeat.stop(settings, worker)


def _wait_for_redis(settings: Settings) -> None:
    """Wait until Redis answers, and say twice a minute why it does not.

    Raises:
        RefusedError: waiting does not help.
    """
    from services import broker

    told = -_SILENCE
    while True:
        try:
            with broker.reached(settings):
                broker.connect(settings, retries=0).ping()
                return
        except broker.RefusedError:
            raise
        except broker.BrokerError as error:
            if time.monotonic() >= told + _SILENCE:
                print(f"Warning: {error}; trying again", file=sys.stderr, flush=True)
                told = time.monotonic()
        time.sleep(_AGAIN)


def _wait_for_store(settings: Settings) -> None:
    """Look into the store: a worker that may not read must not take shards from others.

    Raises:
        StoreError: it cannot be read, for longer than a worker has patience.
    """
    try:
        list(open_store(settings.store, patience=0).folders("studies/"))
    except StoreError as error:
        said = f"Warning: {error}; trying again for {settings.store_patience:.0f} s"
        print(said, file=sys.stderr, flush=True)
        list(open_store(settings.store, patience=settings.store_patience).folders("studies/"))


def _device(asked: str) -> tuple[str, int]:
    """The device to train on, what "auto" is here or the one asked for; and how many that are.

    Another process finds out: a fork after CUDA has started is broken.

    Raises:
        MachineError: this machine does not have it.
    """
    if asked == "cpu":  # every machine has it; the other process would import torch to say so
        return asked, 1
    script = (
        "import sys\n"
        "from memtail_core.errors import MemtailError\n"
        "from memtail_core.training.device import every_device, resolve_device\n"
        "try: device = resolve_device(sys.argv[1])\n"
        "except MemtailError as error: sys.exit(str(error))\n"
        "print(device, len(every_device(device)))\n"
    )
    command = [sys.executable, "-c", script, asked]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["torch cannot be imported"])[-1]
        raise MachineError(reason.replace("--device", "MEMTAIL_DEVICE ="))
    device, number = run.stdout.split()
    return device, int(number)


if __name__ == "__main__":
    try:
        main()
    except MemtailError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
