"""Recipes that are any function: scikit-learn's classifiers, and the user's own training code.

Memorization is not only for networks: forests, boosting and nearest neighbours have it too.
"""
