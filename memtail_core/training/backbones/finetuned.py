"""The recipe ``finetune`` whose networks train on from pretrained weights, wholly or at the end."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field
from torch import Tensor, nn

from memtail_core.data import Dataset
from memtail_core.data.modalities import Feed
from memtail_core.errors import StudyError
from memtail_core.training.backbones.bodies import Inputs, pretrained_body
from memtail_core.training.backbones.families import family_of
from memtail_core.training.backbones.frozen import HeadMLP
from memtail_core.training.backbones.last_block import fix_before_last_block
from memtail_core.training.backbones.options import BackboneOptions
from memtail_core.training.gradient.recipe import GradientRecipe


class Finetuned(BackboneOptions, GradientRecipe):
    """A pretrained body and a new head, trained together.

    Each network begins with the same body; the head is random, by the trial's seed. With ``frozen =
    "last-block"`` only the body's last block and the head are trained
    (:func:`.fix_before_last_block`).
    """

    stackable: ClassVar[bool] = False
    default_epochs: ClassVar[int] = 10
    fewest_steps: ClassVar[int] = 300

    frozen: Literal[False, "last-block"] = False
    head: Literal["linear", "mlp"] = "linear"
    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    standardize: Literal[False] = False  # mean and deviation are the backbone's

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """The body with its pretrained weights, and a head from torch's random state."""
        channels = family_of(self.backbone)[0].channels
        inputs = Inputs(self.size, channels, self.mean or (0.0,), self.deviation or (1.0,))
        width = self.as_frozen.width(Feed(shape, (0, 3, 1, 2), 255.0))
        body = pretrained_body(self.backbone, self.weights or "")
        head = HeadMLP(widths=self.widths or ()).network((width,), n_classes)
        return _Network(inputs, body, head, is_whole=self.frozen is False)

    def suited(self, dataset: Dataset) -> Self:
        """Fill in the options of the backbone, and the layers of the head."""
        made = super().suited(dataset)
        if made.head == "mlp":
            return made.model_copy(update={"widths": made.widths or HeadMLP().widths})
        if made.widths:
            raise StudyError('[training] widths is for head = "mlp"')
        return made


class _Network(nn.Module):
    def __init__(
        self, inputs: nn.Module, body: nn.Module, head: nn.Module, *, is_whole: bool
    ) -> None:
        super().__init__()
        self.inputs, self.body, self.head = inputs, body, head
        self._fixed = [] if is_whole else fix_before_last_block(body)

    def train(self, mode: bool = True) -> "_Network":
        super().train(mode)
        for module in self._fixed:
            module.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(self.inputs(x)))
        return logits
