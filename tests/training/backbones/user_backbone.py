"""Backbones as users write them: small networks whose weights follow from a seed."""

from pathlib import Path

import torch
from torch import nn


def small() -> nn.Module:
    """Two blocks of convolutions: 1 × 8 × 8 pixels → 256 features."""
    torch.manual_seed(7)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 16, 3, 2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Flatten(),
    )


def middle() -> nn.Module:
    """The 4 × 4 pixels in the middle of 8 × 8, as they are: it is blind to the border."""
    return nn.Sequential(nn.ZeroPad2d(-2), nn.Flatten())


def scripted() -> nn.Module:
    """TorchScript, loaded by code that the user has named."""
    return torch.jit.load(Path("scripted.pt"))


def not_a_module() -> int:
    return 3


def fails() -> nn.Module:
    raise ValueError("the user's own\nmistake")


def gives_nothing() -> nn.Module:
    return nn.Identity()


def gives_nan() -> nn.Module:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1) / torch.zeros(())

    return Broken()
