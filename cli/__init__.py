"""The ``memtail`` command: parse, call, print. No mathematics, no storage code."""
