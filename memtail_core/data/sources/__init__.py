"""Where data come from: one file for each source, all of them functions that return Splits."""
