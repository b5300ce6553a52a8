"""The seam through which an engine keeps the state of a training, so that another can continue it.

An engine that trains for seconds ignores it. One that may train for hours calls :meth:`reached`
between any two steps, and begins where :meth:`last` says.
"""

from collections.abc import Callable
from typing import Protocol

from memtail_core.store.archive import Arrays


class Checkpoints(Protocol):
    """Keeps the state of one call of :meth:`.Engine.train`; what the state holds is the engine's.

    Whenever an engine is interrupted, training from the last state that was kept gives the same
    bits (``tests/training/test_checkpoints.py``).
    """

    def last(self) -> Arrays | None:
        """The last state that was kept of the same training; None if there is none."""
        ...

    def refuse(self, reason: str) -> None:
        """Say that the state that was kept last is no use, in one line."""
        ...

    def reached(self, phase: str, examples: int, state: Callable[[], Arrays]) -> None:
        """Take note of how far the engine is, and keep its state if it is time to.

        Called after each step; it takes microseconds where nothing is to be kept.

        Args:
            phase: for people, "5 trained, epoch 7 of 16".
            examples: that the step has trained on, or evaluated, over all its networks.
            state: returns arrays of plain numbers and texts, which nobody changes afterwards.
        """
        ...


class _None:
    """Keeps nothing."""

    def last(self) -> Arrays | None:
        return None

    def refuse(self, reason: str) -> None:
        return

    def reached(self, phase: str, examples: int, state: Callable[[], Arrays]) -> None:
        return


NO_CHECKPOINTS: Checkpoints = _None()
