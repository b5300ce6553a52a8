"""Layers for images, and torchvision's networks made ready for small ones."""

from torch import Tensor, nn


def conv(inputs: int, outputs: int, pool: bool = False) -> nn.Sequential:
    """Pool before ReLU: the same result as after it, with a quarter of the numbers."""
    layers = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2, ceil_mode=True)] if pool else []), nn.ReLU())


class Residual(nn.Module):
    """Two convolutions, added to their input."""

    def __init__(self, width: int) -> None:
        """``width`` channels in and out."""
        super().__init__()
        self.branch = nn.Sequential(conv(width, width), conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, width, h, w] → the same shape."""
        y: Tensor = self.branch(x)
        return x + y


class ThreeChannels(nn.Module):
    """Repeat a single channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 1 or 3, h, w] → [B, 3, h, w]."""
        return x.expand(-1, 3, -1, -1)


class Logits(nn.Module):
    """Drop the auxiliary heads that Inception and GoogLeNet return in training."""

    def forward(self, outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
        """The logits [B, C]."""
        return outputs if isinstance(outputs, Tensor) else outputs[0]


def adapt_to_small_images(network: nn.Module, n_classes: int) -> None:
    """Let an untrained ResNet, DenseNet or VGG take images of few pixels, in place."""
    from torchvision import models

    if isinstance(network, models.ResNet):
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    elif isinstance(network, models.DenseNet):
        width = network.features.conv0.out_channels
        network.features.conv0 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        network.features.pool0 = nn.Identity()
    elif isinstance(network, models.VGG):
        for layer in network.features:
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = True  # five of them leave 28 pixels one, not none
        network.avgpool = nn.AdaptiveAvgPool2d(1)
        network.classifier = nn.Linear(512, n_classes)
