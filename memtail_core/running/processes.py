"""Training processes: they ignore Ctrl-C, use one thread, and end with their run."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import loky
from loky import process_executor

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
ENVIRONMENT = {  # of a process that trains
    **dict.fromkeys(_THREADS, "1"),
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # a GPU's products: the same bits each time
}


@contextmanager
def pool(workers: int) -> Iterator[loky.ProcessPoolExecutor]:
    """Processes that start without re-importing the user's script, and are ended at once."""
    pool = loky.ProcessPoolExecutor(
        workers,
        timeout=None,
        initializer=_start_worker,
        initargs=(os.getpid(),),
        env=ENVIRONMENT,
    )
    try:
        resource_tracker.ensure_running()  # its start would let interrupts through (Python 3.11)
        with interrupts_held():
            pool.submit(int)  # starts the processes; they ignore Ctrl-C from their first moment
        yield pool
    finally:  # nothing is half-written: a put is atomic
        pool.shutdown(wait=True, kill_workers=True)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C for a moment; processes and threads started in it never receive one.

    The signal is blocked, which they inherit, and not ignored, which would lose it. It is noted
    too, since a thread that was there before may be given it. Only a main thread can do this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
        if noted:
            signal.raise_signal(signal.SIGINT)


def _start_worker(parent: int) -> None:
    process_executor._USE_PSUTIL = False  # loading torch and the data is no leak to restart for
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with_parent, args=(parent,), daemon=True).start()


def _die_with_parent(parent: int) -> None:
    """End this process soon after the parent is gone, even by SIGKILL."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
