"""``python -m services.worker``: a Celery worker with the flags that suit training."""

import os
import socket
import subprocess
import sys
import time
import uuid

from memtail_core.errors import MachineError, MemtailError
from memtail_core.running.processes import ENVIRONMENT
from memtail_core.settings import settings
from memtail_core.store import open_store

# Before anything imports torch: one thread a process, the same bits each time, and no CUDA in the
# process that forks.
os.environ.update(ENVIRONMENT, PYTORCH_NVML_BASED_CUDA_CHECK="1")


def main() -> None:
    """Start the worker, in this process, which gets the signals; never return."""
    from services import broker
    from services.presence import Presence
    from services.queue import TASK, app, queue_of
    from services.worker import drain, signs, task

    found = settings()
    device = _device(found.device)
    store = open_store(found.store, patience=found.store_patience)
    list(store.folders("studies/"))  # a worker that may not read takes no shards from those who may
    now = time.time()
    worker = Presence(
        # Never the same twice: a restarted container has its host name and its process ids again.
        name=f"{device.replace(':', '-')}-{uuid.uuid4().hex[:6]}@{socket.gethostname()}",
        role="worker",
        device=device,
        store=found.store,
        since=now,
        idle_since=now,
    )
    where = f"{device}, store {found.store}, broker {broker.address(found)}"
    print(f"memtail worker {worker.name}: {where}", flush=True)
    signs.show(app, found, worker)
    drain.on_sigterm(found.grace)
    assert task.train.name == TASK  # importing it is what makes it known
    try:
        app.worker_main(
            [
                "worker",
                "--pool=prefork",  # solo loses its task when it is told to stop
                f"--concurrency={found.processes if device == 'cpu' else 1}",
                f"--queues={queue_of(device)}",
                f"--hostname={worker.name}",
                "--loglevel=INFO",
                "--without-gossip",
                "--without-mingle",
            ]
        )
    finally:
        signs.leave(found, worker)


def _device(asked: str) -> str:
    """What "auto" is, or whether the device is there.

    Found out in another process: a fork after CUDA has started is broken.
    """
    if asked == "cpu":  # every machine has it; the other process would import torch to say so
        return asked
    script = (
        "import sys\n"
        "from memtail_core.errors import MemtailError\n"
        "from memtail_core.training.device import resolve_device\n"
        "try: print(resolve_device(sys.argv[1]))\n"
        "except MemtailError as error: sys.exit(str(error))\n"
    )
    command = [sys.executable, "-c", script, asked]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["torch does not start"])[-1]
        raise MachineError(reason.replace("--device", "MEMTAIL_DEVICE ="))
    return run.stdout.strip()


if __name__ == "__main__":
    try:
        main()
    except MemtailError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
