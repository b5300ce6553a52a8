"""What the rest of memtail asks of a modality, that is of a kind of data: images, rows, text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import NO_ACCOUNT, Account
from memtail_core.data.examples import Examples
from memtail_core.data.modalities.comparison import Comparison
from memtail_core.data.modalities.text.corpus import Texts
from memtail_core.errors import DatasetError
from memtail_core.study import TokensTable

Embed = Callable[[NDArray[Any], int | None], NDArray[np.float32]]


@dataclass(frozen=True)
class Feed:
    """How stored examples become a network's inputs.

    Attributes:
        shape: of one input, for example (channels, height, width).
        order: of the axes of stored examples, [N, …], that gives [N, \\*shape]; (0, 3, 1, 2) turns
            [N, height, width, channels] into channels first, without a copy.
        divisor: values are divided by it, then standardized along the last stored axis where the
            recipe says so. None: values are symbols, such as tokens. They are fed as int64.
        is_map: inputs are [channels, height, width], what convolutions take.
        can_augment: flips and shifts leave the label as it is.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    divisor: float | None
    is_map: bool = False
    can_augment: bool = False


@dataclass(frozen=True, eq=False)
class Encoded:
    """Prepared examples as a dataset keeps them.

    Attributes:
        train, test: numbers, [n, …] and [n_test, …].
        texts: what they were made of, where that is text.
        account: what was made of them.
    """

    train: NDArray[Any] | Examples
    test: NDArray[Any] | Examples
    texts: Texts | None = None
    account: Account = NO_ACCOUNT


class Modality(Protocol):
    """A kind of data. Objects have no state: two of one class are the same.

    Attributes:
        name: the key of the registry, and ``dataset.kind`` in study.json.
        noun: what examples are called in the plural: "images", "rows", "texts".
        expected: what arrays a source may return, for a message: "images as uint8 [n, h, w]".
        default_recipe: what trains where the study names no recipe.
        has_one_unit: all values are measured alike, as the brightness of pixels is. Otherwise,
            as in a table, they are standardized before two examples are compared.
        is_pictured: the report shows pictures of examples; otherwise words.
    """

    name: str
    noun: str
    expected: str
    default_recipe: str
    has_one_unit: bool
    is_pictured: bool

    def claims(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Whether examples of this shape and dtype are of this modality if nobody says which."""

    def prepare(self, x: NDArray[Any], name: str) -> NDArray[Any]:
        """Check and normalise the examples that a source returned, [n, …].

        Args:
            x: a non-empty array.
            name: what a message calls it: ``x_train``.

        Raises:
            DatasetError: one sentence that says what is wrong and where.
        """

    def encode(
        self,
        train: NDArray[Any] | Examples,
        test: NDArray[Any] | Examples,
        tokens: TokensTable | None,
    ) -> Encoded:
        """Turn the prepared examples of both sets into numbers, if they are not.

        Args:
            train, test: what :meth:`prepare` returned, after the test set was drawn.
            tokens: how texts become tokens; None of the study says nothing.

        Raises:
            DatasetError: one sentence that says what is wrong.
        """
        if tokens is not None:
            raise DatasetError(f"[dataset.tokens] is for texts; these data are {self.noun}")
        return Encoded(train, test)

    def feed(self, shape: tuple[int, ...]) -> Feed:
        """Return how prepared examples of this shape are fed to a network."""

    def embed(self, x: NDArray[Any], largest_side: int | None = None) -> NDArray[np.float32]:
        """Return prepared examples [n, \\*shape] as vectors in which two can be compared.

        Args:
            x: prepared examples.
            largest_side: pixels that an image is shrunk to; nothing to other modalities.

        Returns:
            float32 [n, p, c]: c quantities, each at p places; an image has c channels at p pixels,
            a row of a table c columns at one place.
        """

    def embedding(self, train: Examples) -> Embed:
        """Return :meth:`embed`, or what takes its place once the training set is known."""
        del train
        return self.embed

    def comparison(self) -> Comparison:
        """Return how two examples are compared to find near-duplicates."""

    def pictures(self, examples: Examples) -> Examples:
        """Return examples as pictures, uint8 of shape [h, w, 1, 3 or 4]; where ``is_pictured``."""

    def phrases(self, example: NDArray[Any], columns: Sequence[str]) -> Iterator[str]:
        """Yield what can be said of one example, [\\*shape], in phrases, the first ones first.

        Args:
            example: a prepared example.
            columns: names of its columns, or nothing.
        """
