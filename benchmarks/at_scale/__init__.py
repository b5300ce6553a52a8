"""Parts of ``influence.py``: the data, the two sides of a comparison, the measurements."""
