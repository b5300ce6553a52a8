"""A whole experiment, as someone who adds one would write it."""
