"""The paper's thresholds: from which memorization and influence on an example or a pair counts."""

THETA_MEM = 0.25
"""An example with at least this memorization is memorized (Feldman & Zhang 2020, section 3)."""

THETA_INFL = 0.15
"""A pair with at least this influence is of high influence (Feldman & Zhang 2020, section 3)."""
