"""The recipe ``linear``: logistic regressions on subsets of the same features, solved together.

:mod:`.recipe` has the options and the engine, :mod:`.regressions` the solver, :mod:`.hessian` what
it is preconditioned with.
"""
