"""Reads a folder with FiftyOne's own importer, and says what came of it.

A program of its own: FiftyOne is large, and usually in an environment of its own. Its importer
makes samples without a database, which only a dataset needs.
"""

import json
import sys

import fiftyone as fo
from fiftyone.utils.data import importers

made = importers._handle_legacy_formats(importers.FiftyOneDatasetImporter(sys.argv[1]))
with made:
    samples = list(made)
wrong = [
    s
    for s in samples
    if not isinstance(s.ground_truth, fo.Classification) or not isinstance(s.memorization, float)
]
print(json.dumps({"samples": len(samples), "wrong_type": len(wrong), "first": str(samples[0])}))
