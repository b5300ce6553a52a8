"""Datasets from objects that a Python program already has: arrays, frames, torch, Hugging Face.

Each function reads the objects once and returns a :class:`~memtail_core.data.Dataset`, which is
kept with the study: the objects are not needed again.
"""

from memtail_core.data.objects.arrays import from_arrays
from memtail_core.data.objects.frames import from_pandas
from memtail_core.data.objects.hugging_face import from_huggingface
from memtail_core.data.objects.torch_datasets import from_torch

__all__ = ["from_arrays", "from_huggingface", "from_pandas", "from_torch"]
