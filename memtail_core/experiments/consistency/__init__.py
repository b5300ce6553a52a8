"""How often is an example classified correctly when it is held out (the C-score)?"""
