"""What each memorized example is: mislabeled, atypical but useful, or a duplicate."""
