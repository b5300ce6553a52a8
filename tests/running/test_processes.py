import os
import signal
import subprocess

import pytest
from loky import process_executor

from memtail_core.running.processes import interrupts_held, pool


def test_ctrl_c_while_processes_start_is_put_off_and_not_lost() -> None:
    sleep = ["sleep", "60"]
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        child = subprocess.Popen(sleep)
        os.kill(os.getpid(), signal.SIGINT)
        child.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.5)
    child.kill()
    child.wait()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_a_process_that_loads_its_data_is_not_restarted_for_a_leak() -> None:
    assert process_executor._USE_PSUTIL, "else loky has another name for it now"
    with pool(1) as processes:
        assert processes.submit(watches_for_leaks).result() is False


def watches_for_leaks() -> bool:
    return bool(process_executor._USE_PSUTIL)
