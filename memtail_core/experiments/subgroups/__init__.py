"""What is each memorized example: mislabeled, atypical but useful, or a duplicate?"""
