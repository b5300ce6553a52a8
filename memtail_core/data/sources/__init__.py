"""Where data come from: one file for each source.

To add a source, write a file here with a function ``(argument, /, *, option=default, …) → Splits``
and add a line to ``SOURCES``. ``[dataset] source = "name:argument"`` then calls it; its keyword
arguments are the options that ``[dataset]`` takes, and their annotations are checked. Raise
DatasetError, with one sentence, for what cannot be read. Images, tables and what else the arrays
show are recognised; for other modalities return ``Splits(…, modality="name")``. Add a way to write
the source to ``tests/data/contract.py``: every source must pass these tests.
"""

from memtail_core.data.sources import (
    folder,
    hugging_face,
    npz,
    packed,
    python_function,
    sklearn_datasets,
    table,
    torchvision_datasets,
    webdataset,
)
from memtail_core.data.splits import Source

SOURCES: dict[str, Source] = {
    "torchvision": torchvision_datasets.load,
    "sklearn": sklearn_datasets.load,
    "folder": folder.load,
    "npz": npz.load,
    "csv": table.load_csv,
    "parquet": table.load_parquet,
    "jsonl": table.load_json_lines,
    "hf": hugging_face.load,
    "webdataset": webdataset.load,
    "packed": packed.load,
    "python": python_function.load,
}
