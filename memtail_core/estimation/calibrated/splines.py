"""Smooth curves of each feature: what additive models are linear in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def filled(features: Floats, like: Floats | None = None) -> Floats:
    """Put the median of a column where it is missing; ``like`` says of what."""
    known = features if like is None else like
    is_empty = np.isnan(known).all(axis=0)
    median = np.zeros(features.shape[1])
    median[~is_empty] = np.nanmedian(known[:, ~is_empty], axis=0)
    return np.where(np.isnan(features), median, features)


def curves(n_knots: int) -> Any:
    """A transformer to quadratic splines with knots at quantiles, straight beyond the last ones."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer, StandardScaler

    spline = SplineTransformer(n_knots, 2, knots="quantile", extrapolation="linear")
    return make_pipeline(StandardScaler(), spline)
