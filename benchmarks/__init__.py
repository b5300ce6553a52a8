"""Measurements of speed, memory and accuracy; not part of the package and not tests."""
