"""What is known without being seen: C-scores over several subset ratios."""
