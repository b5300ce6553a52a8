"""The experiments on a trained study, one folder each; ``registry.py`` lists them."""
