"""dattri's ground truth of the linear datamodeling score: what ``dattri.metric.lds`` is given.

    target_values_lds.pt   float32 [T, n_test]   the margin of each model on each test example
    indices_lds.pt         int64 [T, m]          which examples each model trained on

as its benchmark keeps them (``dattri/benchmark/load.py``). Larger is better, as dattri's own target
values are after it changes their sign. Files of torch are pickles, so memtail does not read them.
"""

from pathlib import Path

import numpy as np

from memtail_core.errors import EstimationError
from memtail_core.exchange.format import Format
from memtail_core.exchange.stored import StoredStudy


def _write(study: StoredStudy, folder: Path) -> None:
    import torch

    study.require("test_margins", FORMAT.name)
    mapped = folder / "rows.npy"
    study.write({"test_margins": mapped}, np.float32)
    torch.save(torch.from_numpy(np.load(mapped, mmap_mode="r+")), folder / "target_values_lds.pt")
    mapped.unlink()
    m = study.study.subset_size
    rows = np.lib.format.open_memmap(mapped, mode="w+", dtype=np.int64, shape=(len(study), m))
    for first, (subset,) in study.blocks("subset"):
        if (other := subset.sum(axis=1) != m).any():
            k = int(other.argmax())
            raise EstimationError(
                f"trial {first + k} trained on {int(subset[k].sum()):,} examples, others on {m:,}: "
                "dattri needs subsets of one size; choose --to datamodels"
            )
        rows[first : first + len(subset)] = np.nonzero(subset)[1].reshape(len(subset), m)
    rows.flush()
    torch.save(torch.from_numpy(np.load(mapped, mmap_mode="r+")), folder / "indices_lds.pt")
    mapped.unlink()


FORMAT = Format(
    "dattri", "dattri's ground truth, target_values_lds.pt", write=_write, passes=lambda _: 2
)
