"""The recipe ``linear``: logistic regressions on subsets of the same features, solved together.

:mod:`.recipe` has the options, :mod:`.engine` solves all models of a shard, :mod:`.regressions` is
the solver, :mod:`.hessian` what it is preconditioned with.
"""
