"""The recipe gpt: a small language model, trained from scratch."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.training.gradient.objective import NEXT_TOKENS, Objective
from memtail_core.training.gradient.text_networks import TextRecipe
from memtail_core.training.language import LOG_LIKELIHOOD, TOKEN_ACCURACY
from memtail_core.training.outcome import Outcome

if TYPE_CHECKING:
    from torch import nn

_Width = Annotated[int, Field(ge=1)]


class GPT(TextRecipe):
    """A decoder: each place reads those before it and predicts the next token.

    As GPT-2 (Radford et al., 2019): normalised before each layer, with the table of token vectors
    as its last layer too. The context is as long as the documents of the data.
    """

    labelled: ClassVar[bool] = False
    objective: ClassVar[Objective] = NEXT_TOKENS
    default_epochs: ClassVar[int] = 20
    fewest_steps: ClassVar[int] = 1000

    recipe: str = "gpt"
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    layers: Annotated[int, Field(ge=1, le=24)] = 2
    width: _Width = 64
    heads: _Width = 4
    hidden: _Width = 256
    value: Literal["accuracy", "log-likelihood"] = "accuracy"

    @property
    def outcome(self) -> Outcome:
        """What ``value`` names."""
        return TOKEN_ACCURACY if self.value == "accuracy" else LOG_LIKELIHOOD

    def described(self) -> dict[str, Any]:
        """All options and the version; ``value`` only where it is not the first there was."""
        described = super().described()
        if self.value == "accuracy":
            del described["value"]
        return described

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Vectors and positions, blocks, the logits of the next tokens."""
        from memtail_core.training.gradient.text_architectures import Decoder

        del n_classes
        return Decoder(self.n_tokens, shape[0], self.layers, (self.width, self.heads, self.hidden))

    def outputs(self, shape: tuple[int, ...], n_classes: int) -> tuple[int, ...]:
        """For each place but the last, a logit for each token and for the end."""
        del n_classes
        return shape[0] - 1, 1 + self.n_tokens

    def check(self, dataset: Dataset) -> None:
        """The heads must divide the width, and there must be something to predict."""
        if self.width % self.heads:
            raise StudyError(
                f"[training] width = {self.width} is no multiple of heads = {self.heads}"
            )
        if len(dataset.shape) == 1 and dataset.shape[0] < 2:
            raise StudyError(
                f"[training] recipe = '{self.recipe}' predicts next tokens, and no document has "
                "two tokens"
            )
        super().check(dataset)
