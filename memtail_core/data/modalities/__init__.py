"""The kinds of data memtail knows: one folder for each, and one line in ``registry.py``.

To add one, write a class that implements :class:`Modality` in a folder of its name and register an
object of it. A source says ``Splits(…, modality="name")``; what no source names is recognised by
its arrays. ``tests/data/modality_contract.py`` holds the tests that it must pass.
"""

from memtail_core.data.modalities.modality import Feed, Modality
from memtail_core.data.modalities.registry import MODALITIES, modality_of, named

__all__ = ["MODALITIES", "Feed", "Modality", "modality_of", "named"]
