"""What each token of a document costs models that trained on the document, and others: exact sums.

The loss of a token is −log p, in nats, of a model that has read the tokens before it. It is rounded
to whole units of 2⁻¹⁰, so that sums over trials are sums of whole numbers: they are the same bits
in whatever order, and by however many processes, the trials were trained. Of document i and its
next token t, with the means over the trials k that held i out, and over those that trained on it,

    difference_it = Σ_out loss_k(i, t) / n_out,i − Σ_in loss_k(i, t) / n_in,i

is by how much training on the document makes the token likelier: its part in the counterfactual
memorization of the document (Zhang et al., "Counterfactual memorization in neural language models",
2021), here of the log-likelihood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNITS = 2**10  # to a nat


@dataclass(frozen=True, eq=False)
class TokenLosses:
    """Sums over the trials that trained on each of n documents, and over those that held it out.

    Attributes:
        n_in, n_out: int64 [n], how many those are.
        total_in, total_out: int64 [n, T − 1], Σ loss of each next token, in units of 2⁻¹⁰ nats; 0
            where a document has none.
    """

    n_in: NDArray[np.int64]
    n_out: NDArray[np.int64]
    total_in: NDArray[np.int64]
    total_out: NDArray[np.int64]

    @classmethod
    def none(cls, n: int, length: int) -> "TokenLosses":
        """No trials of n documents with ``length`` next tokens, T − 1."""
        counts = (np.zeros(n, np.int64) for _ in range(2))
        return cls(*counts, *(np.zeros((n, length), np.int64) for _ in range(2)))

    @classmethod
    def of(cls, subset: NDArray[np.bool_], loss: NDArray[np.float16]) -> "TokenLosses":
        """Add up K trials.

        Args:
            subset: bool [K, n], the documents that each trained on.
            loss: float16 [K, n, T − 1], of each next token, in nats, finite.
        """
        _, n, length = loss.shape
        made = cls.none(n, length)
        for inside, of in zip(subset, loss, strict=True):
            units = np.rint(of.astype(np.float64) * UNITS).astype(np.int64)
            made.n_in[inside] += 1
            made.n_out[~inside] += 1
            made.total_in[inside] += units[inside]
            made.total_out[~inside] += units[~inside]
        return made

    def plus(self, other: "TokenLosses") -> "TokenLosses":
        """Return the sums over these trials and those of ``other``."""
        return TokenLosses(
            self.n_in + other.n_in,
            self.n_out + other.n_out,
            self.total_in + other.total_in,
            self.total_out + other.total_out,
        )

    @property
    def difference(self) -> NDArray[np.float64]:
        """The mean loss held out minus that trained on, float64 [n, T − 1], in nats.

        NaN of a document that all trials trained on, or none.
        """
        with np.errstate(invalid="ignore"):
            out, trained = (
                total / UNITS / count[:, None]
                for total, count in ((self.total_out, self.n_out), (self.total_in, self.n_in))
            )
        difference: NDArray[np.float64] = out - trained
        return difference
