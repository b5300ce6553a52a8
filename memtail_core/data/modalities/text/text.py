"""Text: tokens 1 … V, int32 [length], 0 after the last; the texts are kept beside them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.examples import Examples
from memtail_core.data.modalities.comparison import Comparison
from memtail_core.data.modalities.modality import Encoded, Feed, Modality
from memtail_core.data.modalities.text import tf_idf
from memtail_core.data.modalities.text.cleaning import as_texts, is_clean
from memtail_core.data.modalities.text.tokenizing import tokenized
from memtail_core.errors import DatasetError
from memtail_core.study import TokensTable


class Text(Modality):
    """Texts of any language; an example is one, or two."""

    name = "text"
    noun = "texts"
    expected = "texts as strings [n]"
    default_recipe = "bag"
    has_one_unit = True
    is_pictured = False

    def claims(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Strings."""
        return shape == () and dtype.kind == "U"

    def prepare(self, x: NDArray[Any], name: str) -> NDArray[Any]:
        """Clean the texts; tokens stay as they are."""
        if x.ndim == 2 and x.dtype.kind in "iu":
            if x.size and (x.min() < 0 or x.max() >= 2**31 - 1):
                raise DatasetError(f"{name} holds the token {x.min()}: tokens are 0 to 2³¹ − 2")
            return np.ascontiguousarray(x, dtype=np.int32)
        if x.ndim != 1 or x.dtype.kind not in "UO":
            raise DatasetError(f"{name} is {x.dtype} {list(x.shape)}: give {self.expected}")
        if x.dtype.kind == "O" and all(isinstance(each, str) and is_clean(each) for each in x):
            return np.ascontiguousarray(x)
        return as_texts(x, name)[0]

    def encode(
        self,
        train: NDArray[Any] | Examples,
        test: NDArray[Any] | Examples,
        tokens: TokensTable | None,
    ) -> Encoded:
        """Tokenize the texts; see :mod:`.tokenizing`."""
        if isinstance(train, Examples) or isinstance(test, Examples) or train.dtype.kind != "O":
            return Encoded(train, test)
        made = tokenized(train.tolist(), test.tolist(), tokens or TokensTable())
        return Encoded(made.train, made.test, made.texts, made.account)

    def feed(self, shape: tuple[int, ...]) -> Feed:
        """The tokens, as symbols."""
        return Feed(shape, (0, 1), None)

    def embed(self, x: NDArray[Any], largest_side: int | None = None) -> NDArray[np.float32]:
        """The tokens that occur, hashed to places, without regard to how rare they are."""
        del largest_side
        made: NDArray[np.float32] = tf_idf.vectors(x)
        return made

    def embedding(self, train: Examples) -> tf_idf.Embed:
        """TF-IDF: a rare token counts more."""
        return tf_idf.embedding(train)

    def comparison(self) -> Comparison:
        """Texts are compared by what they share; see :mod:`.min_hash`."""
        from memtail_core.data.modalities.text.min_hash import SharedShingles

        return SharedShingles()

    def pictures(self, examples: Examples) -> Examples:
        """Texts have no pictures."""
        raise NotImplementedError("texts are shown in words")

    def phrases(self, example: NDArray[Any], columns: Sequence[str]) -> Iterator[str]:
        """Tokens without their text are counted."""
        del columns
        yield f"{int((example > 0).sum())} tokens"
