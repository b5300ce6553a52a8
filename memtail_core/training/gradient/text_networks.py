"""The recipes for texts: bag, textcnn and transformer."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.training.gradient.recipe import GradientRecipe

if TYPE_CHECKING:
    from torch import nn

_Width = Annotated[int, Field(ge=1)]


class TextRecipe(GradientRecipe):
    """Base of the recipes for texts.

    ``vocabulary`` is V, the number of different tokens; memtail takes it from the data.
    """

    undemanding: ClassVar[bool] = True

    optimizer: Literal["sgd", "adamw"] = "adamw"
    vocabulary: _Width | None = None

    def suited(self, dataset: Dataset) -> Self:
        """Take over the vocabulary of the data."""
        _check_texts(self, dataset)
        known = dataset.vocabulary
        if self.vocabulary is None:
            return self.model_copy(update={"vocabulary": known})
        if self.vocabulary < known:
            raise StudyError(
                f"[training] vocabulary = {self.vocabulary}: the data have {known} tokens; leave "
                "it out, or set [dataset.tokens] vocabulary"
            )
        return self

    @property
    def n_tokens(self) -> int:
        """V; set by :meth:`suited`."""
        assert self.vocabulary is not None
        return self.vocabulary

    def check(self, dataset: Dataset) -> None:
        """The data must be texts."""
        _check_texts(self, dataset)
        super().check(dataset)


class Bag(TextRecipe):
    """A linear classifier of the mean vector of a text's tokens and pairs of neighbouring tokens.

    As fastText (Joulin et al., 2017), with the tokens of the data instead of words.
    """

    recipe: str = "bag"
    default_epochs: ClassVar[int] = 8
    fewest_steps: ClassVar[int] = 90
    batch_size: Annotated[int, Field(ge=1)] = 512
    learning_rate: Annotated[float, Field(gt=0)] = 0.04
    width: _Width = 16
    buckets: _Width = 8192

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """The mean of the vectors, then the logits."""
        from torch import nn

        from memtail_core.training.gradient.text_layers import HashedBag

        del shape
        bag = HashedBag(self.n_tokens, self.buckets, self.width)
        return nn.Sequential(bag, nn.Linear(self.width, n_classes))


class TextCNN(TextRecipe):
    """Convolutions over tokens, the largest value of each, then the logits (Kim, 2014)."""

    recipe: str = "textcnn"
    default_epochs: ClassVar[int] = 10
    fewest_steps: ClassVar[int] = 200
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    width: _Width = 64
    channels: _Width = 64
    windows: Annotated[tuple[_Width, ...], Field(strict=False, min_length=1)] = (3, 4, 5)

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Vectors, convolutions, maxima, logits."""
        from memtail_core.training.gradient.text_architectures import Convolutions

        del shape
        return Convolutions(self.n_tokens, self.width, self.channels, self.windows, n_classes)


class Transformer(TextRecipe):
    """A small encoder, normalised before each layer; the mean of its outputs gives the logits."""

    recipe: str = "transformer"
    default_epochs: ClassVar[int] = 10
    fewest_steps: ClassVar[int] = 400
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    layers: Annotated[int, Field(ge=1, le=12)] = 2
    width: _Width = 64
    heads: _Width = 4
    hidden: _Width = 128

    def network(self, shape: tuple[int, ...], n_classes: int) -> "nn.Module":
        """Vectors and positions, blocks, the mean over tokens, logits."""
        from memtail_core.training.gradient.text_architectures import Encoder

        block = self.width, self.heads, self.hidden
        return Encoder(self.n_tokens, shape[0], self.layers, block, n_classes)

    def check(self, dataset: Dataset) -> None:
        """The heads must divide the width."""
        if self.width % self.heads:
            raise StudyError(
                f"[training] width = {self.width} is no multiple of heads = {self.heads}"
            )
        super().check(dataset)


def _check_texts(recipe: TextRecipe, dataset: Dataset) -> None:
    if dataset.feed.divisor is not None or len(dataset.feed.shape) != 1:
        raise StudyError(
            f"[training] recipe = '{recipe.recipe}' is for texts; these data are "
            f"{dataset.modality.name}: use '{dataset.modality.default_recipe}'"
        )
