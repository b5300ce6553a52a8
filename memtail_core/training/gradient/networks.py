"""The network recipes: mlp, cnn, resnet9, and the architectures of torchvision."""

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from memtail_core.data import Dataset
from memtail_core.errors import StudyError, did_you_mean
from memtail_core.training.gradient.recipe import GradientRecipe

if TYPE_CHECKING:
    from torch import nn

_Width = Annotated[int, Field(ge=1)]
_SMALL = 64  # pixels; torchvision's stems, made for 224, would reduce a small image to 1 × 1


class MLP(GradientRecipe):
    """Fully connected layers with ReLU between them, on flattened inputs."""

    undemanding: ClassVar[bool] = True

    recipe: str = "mlp"
    widths: Annotated[tuple[_Width, ...], Field(strict=False)] = (512, 256)

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Linear–ReLU for each width, then the logits."""
        from torch import nn

        layers: list[nn.Module] = [nn.Flatten()]
        size = prod(shape)
        for width in self.widths:
            layers += [nn.Linear(size, width), nn.ReLU()]
            size = width
        return nn.Sequential(*layers, nn.Linear(size, n_classes))

    def check(self, dataset: Dataset) -> None:
        """The inputs must be numbers."""
        if dataset.feed.divisor is None:
            raise StudyError(
                f"[training] recipe = '{self.recipe}' is for numbers; these data are "
                f"{dataset.modality.name}: use '{dataset.modality.default_recipe}'"
            )
        super().check(dataset)


class CNN(GradientRecipe):
    """3 × 3 convolutions that halve the image, by 2 × 2 pooling or a stride, then a hidden layer.

    A stride of 2 needs a quarter of the arithmetic of pooling and loses some accuracy.
    """

    undemanding: ClassVar[bool] = True

    recipe: str = "cnn"
    default_epochs: ClassVar[int] = 20
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    channels: Annotated[tuple[_Width, ...], Field(strict=False, min_length=1)] = (32, 64)
    hidden: _Width = 128
    halve: Literal["pool", "stride"] = "pool"

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Convolutions that halve the image, then Linear–ReLU, then the logits."""
        from torch import nn

        (size, *sides) = shape
        layers: list[nn.Module] = []
        for width in self.channels:
            stride = 2 if self.halve == "stride" else 1
            layers += [nn.Conv2d(size, width, 3, stride, padding=1)]
            layers += [nn.MaxPool2d(2, ceil_mode=True)] * (stride == 1) + [nn.ReLU()]
            size, sides = width, [-(-side // 2) for side in sides]
        flat = size * sides[0] * sides[1]
        head = [nn.Flatten(), nn.Linear(flat, self.hidden), nn.ReLU()]
        return nn.Sequential(*layers, *head, nn.Linear(self.hidden, n_classes))

    def check(self, dataset: Dataset) -> None:
        """Convolutions need images."""
        _check_images(self, dataset)
        super().check(dataset)


class ResNet9(GradientRecipe):
    """The nine-layer residual network of the DAWNBench entries (D. Page, 2018)."""

    undemanding: ClassVar[bool] = True

    recipe: str = "resnet9"
    default_epochs: ClassVar[int] = 30
    batch_size: Annotated[int, Field(ge=1)] = 128
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    width: _Width = 64

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Stem, three stages of which the first and the last are residual, global max pooling."""
        from torch import nn

        from memtail_core.training.gradient.image_layers import Residual, conv

        w = self.width
        return nn.Sequential(
            conv(shape[0], w),
            conv(w, 2 * w, pool=True),
            Residual(2 * w),
            conv(2 * w, 4 * w, pool=True),
            conv(4 * w, 8 * w, pool=True),
            Residual(8 * w),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(8 * w, n_classes),
        )

    def check(self, dataset: Dataset) -> None:
        """Convolutions need images."""
        _check_images(self, dataset)
        super().check(dataset)


class TorchvisionNetwork(GradientRecipe):
    """``torchvision:resnet18`` and the other classification networks of torchvision, untrained.

    For images up to 64 pixels, ResNets and DenseNets get a 3 × 3 stem without stride or pooling,
    and VGGs a single linear layer as their head, as is usual on CIFAR.
    """

    stackable: ClassVar[bool] = False

    default_epochs: ClassVar[int] = 30
    batch_size: Annotated[int, Field(ge=1)] = 128
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Build torchvision's network for inputs of 1 or 3 channels."""
        import torchvision.models
        from torch import nn

        from memtail_core.training.gradient.image_layers import (
            Logits,
            ThreeChannels,
            adapt_to_small_images,
        )

        name = self.recipe.partition(":")[2]
        network = torchvision.models.get_model(name, weights=None, num_classes=n_classes)
        if max(shape[1:]) <= _SMALL:
            adapt_to_small_images(network, n_classes)
        return nn.Sequential(ThreeChannels(), network, Logits())

    def check(self, dataset: Dataset) -> None:
        """The network must exist, and the data must be images."""
        import torchvision.models

        name = self.recipe.partition(":")[2]
        known = torchvision.models.list_models(module=torchvision.models)
        if name not in known:
            hint = did_you_mean(name, [m for m in known if m[:6] in ("resnet", "vgg11_", "densen")])
            raise StudyError(f"[training] recipe = '{self.recipe}': torchvision has none{hint}")
        _check_images(self, dataset)
        if dataset.feed.shape[0] == 4:
            raise StudyError(f"'{self.recipe}' takes 1 or 3 channels; these images have 4")
        super().check(dataset)


def _check_images(recipe: GradientRecipe, dataset: Dataset) -> None:
    if not dataset.feed.is_map:
        raise StudyError(
            f"[training] recipe = '{recipe.recipe}' is for images; these data are "
            f"{dataset.modality.name}: use '{dataset.modality.default_recipe}' or "
            "'sklearn:ensemble.RandomForestClassifier'"
        )
