import os
import signal
import subprocess

import pytest

from memtail_core.processes import interrupts_held


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
