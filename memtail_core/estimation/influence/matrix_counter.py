"""Counting with matrix products: int8 on tensor cores or AMX, float32 where there is no int8."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from memtail_core.estimation.influence.counter import Hits, Ranking, Tile, Words, joined
from memtail_core.estimation.intervals import SLACK
from memtail_core.training.device import resolve_device

_EDGE = 32  # sizes that int8 products on a GPU take are multiples of 8, and more than 16
_PAIRS = 2**24  # counted at a time: 64 MiB, small beside what a GPU has


class MatrixCounter:
    """Counts with matrix products, on any device that torch runs on.

    Products of 0 and 1 are exact in int8 with int32 sums, and in float32 for fewer than 2²⁴
    trials.
    """

    threads = 1

    def __init__(self, device: str = "auto") -> None:
        self._device = torch.device(resolve_device(device))
        self._type = torch.int8 if self._multiplies_int8() else torch.float32
        self.name = f"{str(self._type).removeprefix('torch.')} on {self._device}"

    def load(self, words: Words) -> torch.Tensor:
        """Return 0 and 1, [C', 64 W] with C' a multiple of 32."""
        return self._unpacked(words)

    def scan(self, tile: Tile) -> Hits:
        """See :class:`~memtail_core.estimation.influence.counter.PairCounter`."""
        step = max(1, _PAIRS // max(1, tile.n_columns))
        parts = []
        for start in range(0, len(tile.rows), step):
            rows = slice(start, start + step)
            part = replace(
                tile,
                rows=tile.rows[rows],
                least_of=tile.least_of[rows],
                slope=tile.slope[rows],
                offset=tile.offset[rows],
            )
            parts.append(self._scan(part, start))
        return joined(parts)

    def rank(self, ranking: Ranking) -> None:
        """See :class:`~memtail_core.estimation.influence.counter.PairCounter`."""
        n_columns = len(ranking.indices)
        step = max(1, _PAIRS // max(1, n_columns))
        for start in range(0, len(ranking.rows), step):
            self._rank(ranking, slice(start, start + step))

    def counts(self, rows: Words, columns: torch.Tensor, n_columns: int) -> NDArray[np.int32]:
        """See :class:`~memtail_core.estimation.influence.counter.PairCounter`."""
        found: NDArray[np.int32] = self._product(rows, columns, n_columns).cpu().numpy()
        return found

    def _rank(self, ranking: Ranking, part: slice) -> None:
        counts = self._product(ranking.rows[part], ranking.columns, len(ranking.indices))
        totals = self._tensor(ranking.row_totals[part])[:, None]
        expected = totals * self._tensor(ranking.column_totals)
        strength = (ranking.trials * counts.long() - expected).double()
        strength /= self._tensor(ranking.scales)
        # those so far come first: a stable sort keeps them before equals, which have higher indices
        strength = torch.cat([self._tensor(ranking.best[part]), strength], 1)
        k = ranking.best.shape[1]
        order = strength.sort(dim=1, descending=True, stable=True).indices[:, :k]
        ranking.best[part] = strength.gather(1, order).cpu().numpy()
        for kept, new in (
            (ranking.partner, self._tensor(ranking.indices).expand(len(counts), -1)),
            (ranking.count, counts.long()),
        ):
            both = torch.cat([self._tensor(kept[part]), new], 1)
            kept[part] = both.gather(1, order).cpu().numpy()

    def _scan(self, tile: Tile, first: int) -> Hits:
        counts = self._product(tile.rows, tile.columns, tile.n_columns)
        least = self._tensor(np.minimum(tile.least, 2**30).astype(np.int32))
        reach = counts >= least[self._tensor(tile.least_of)]
        row, column = reach.nonzero(as_tuple=True)
        count = counts[row, column]
        return Hits(
            row.cpu().numpy() + first,
            column.cpu().numpy(),
            count.cpu().numpy().astype(np.int64),
            self._tally(counts, tile),
        )

    def _tally(self, counts: torch.Tensor, tile: Tile) -> NDArray[np.int64]:
        if not tile.n_bins:
            return np.zeros(0, np.int64)
        slope, offset = self._tensor(tile.slope)[:, None], self._tensor(tile.offset)[:, None]
        values = slope * counts - offset * self._tensor(tile.totals) + (1.0 + SLACK)
        bins = (values * (tile.n_bins / 2)).to(torch.int32).clamp_(max=tile.n_bins - 1)
        tallied = torch.bincount(bins.flatten(), minlength=tile.n_bins)
        found: NDArray[np.int64] = tallied.cpu().numpy()
        return found

    def _product(self, rows: Words, columns: torch.Tensor, n_columns: int) -> torch.Tensor:
        left = self._unpacked(rows)
        if self._type == torch.int8:
            product = torch._int_mm(left, columns.T)
        else:
            product = (left @ columns.T).to(torch.int32)
        return product[: len(rows), :n_columns]

    def _unpacked(self, words: Words) -> torch.Tensor:
        """Unpack on the device: what travels is packed."""
        padded = np.pad(words, ((0, -len(words) % _EDGE), (0, 0))).view(np.uint8)
        packed = self._tensor(padded)
        bits = torch.arange(8, dtype=torch.uint8, device=self._device)
        unpacked = (packed[:, :, None] >> bits) & 1
        return unpacked.reshape(len(padded), 64 * words.shape[1]).to(self._type)

    def _tensor(self, array: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def _multiplies_int8(self) -> bool:
        """Try it: not every device and version of torch does."""
        one = torch.ones(_EDGE, _EDGE, dtype=torch.int8, device=self._device)
        try:
            return bool((torch._int_mm(one, one) == _EDGE).all())
        except (RuntimeError, NotImplementedError, AttributeError):
            return False
