"""``python -m services.worker``: a Celery worker with the flags that suit training."""

import os
import subprocess
import sys

from memtail_core.errors import MemtailError
from memtail_core.processes import ENVIRONMENT
from memtail_core.settings import settings

# Before anything imports torch: one thread a process, the same bits each time, and no CUDA in the
# process that forks.
os.environ.update(ENVIRONMENT, PYTORCH_NVML_BASED_CUDA_CHECK="1")


def main() -> None:
    """Start the worker, in this process, which gets the signals; never return."""
    from services import broker
    from services.queue import TASK, app, queue_of
    from services.worker import signs, task

    found = settings()
    device = _device(found.device)
    print(
        f"memtail worker: {device}, store {found.store}, broker {broker.address(found)}", flush=True
    )
    signs.show(app, found, device)
    assert task.train.name == TASK  # importing it is what makes it known
    try:
        app.worker_main(
            [
                "worker",
                "--pool=prefork",  # solo loses its task when it is told to stop
                f"--concurrency={found.processes}",
                f"--queues={queue_of(device)}",
                f"--hostname={device.replace(':', '-')}-{os.getpid()}@%h",
                "--loglevel=INFO",
                "--without-gossip",
                "--without-mingle",
            ]
        )
    finally:
        signs.leave()


def _device(asked: str) -> str:
    """What "auto" is, found out in another process: a fork after CUDA has started is broken."""
    if asked != "auto":
        return asked
    script = "import torch; print('cuda' if torch.cuda.is_available() else 'cpu')"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.strip()


if __name__ == "__main__":
    try:
        main()
    except MemtailError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
