"""Recipes that train networks by SGD, many at once.

:mod:`.networks`, :mod:`.text_networks` and :mod:`.gpt` have the architectures; :mod:`.options` the
options they share; :mod:`.objective` what they are trained to output: labels or next tokens. The
:mod:`.engine` keeps the data on the device (:mod:`.resident_data`), draws batches (:mod:`.batches`,
:mod:`.augmentation`) and steps a :mod:`.network_stack`: K networks whose layers are joined
(:mod:`.stacked_layers`), updated by :mod:`.sgd`, on a GPU as one recorded :mod:`.cuda_graph`.
:mod:`.autotuning` measures how many networks at once are fastest.
"""
