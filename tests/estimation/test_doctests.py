"""The examples in docstrings of the estimators run, and give what they say."""

import doctest

import numpy as np
import pytest

from memtail_core.estimation import intervals, measures, roc


@pytest.mark.parametrize("module", [intervals, measures, roc], ids=lambda each: each.__name__)
def test_examples(module: object) -> None:
    results = doctest.testmod(module, extraglobs={"np": np})  # type: ignore[arg-type]
    assert results.attempted > 0
    assert results.failed == 0
