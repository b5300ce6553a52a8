"""Backbones of the user's own code: a function that returns a torch module."""

import sys
from contextlib import redirect_stdout

import torch
from torch import nn

from memtail_core.data.user_code import function
from memtail_core.errors import StudyError
from memtail_core.training.backbones import weight_files
from memtail_core.training.backbones.family import Pretrained
from memtail_core.training.device import own_randomness


class Python:
    """``python:module:function``: called without arguments, it returns a module.

    The module maps images [N, C, h, w], pixels from 0 to 1, to features [N, d]. Its weights are
    those that the function gives it, or those of a file.
    """

    channels: int | None = None

    def pretrained(self, name: str, weights: str | None) -> Pretrained:
        """See :class:`~.family.Family`."""
        body = self.body(name, "")
        if weights is None:
            found = weight_files.weights_of(body)
        else:
            state = weight_files.read(weights)
            found = weight_files.fitted(body, state, (), f"weights = '{weights}'")
        return Pretrained(name, found, (0.0,), (1.0,))

    def body(self, name: str, config: str) -> nn.Module:
        """See :class:`~.family.Family`."""
        del config
        path = f"python:{name}"
        call = function(path)
        try:
            with redirect_stdout(sys.stderr), own_randomness(torch.device("cpu")):
                torch.manual_seed(0)
                body = call()
        except (Exception, SystemExit) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise StudyError(f"[training] backbone = '{path}' failed: {reason}") from error
        if not isinstance(body, nn.Module):
            raise StudyError(
                f"[training] backbone = '{path}' returned {type(body).__name__}: return a module"
            )
        return body
