"""Can a sparse linear model say what a network will do from what it was trained on?"""
