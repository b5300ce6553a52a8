"""Cheap estimates of memorization and influence, from one training or a few."""
