"""Are there enough trials? Stopping rules, and what they cost the intervals."""
