"""Whoever imports this ends when its parent does: for processes that start by importing."""

import signal

from tests.servers.process import die_with_parent

die_with_parent(signal.SIGKILL)
