"""The approximations, one file each; :mod:`~memtail_core.approximations.registry` lists them."""
