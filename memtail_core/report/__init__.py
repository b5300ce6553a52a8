"""Turns an analysis into tables, figures and one self-contained page beside the study's shards."""
