"""What experiments add to the report: one file for each, a result in, a :class:`Section` out."""
