"""When does a study have enough trials? Stopping rules, and what they do to the intervals."""
