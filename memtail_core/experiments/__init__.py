"""The paper's experiments: each a plan, which subsets to train on, and an analysis of what came."""
