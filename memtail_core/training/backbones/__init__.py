"""Networks that begin with pretrained weights: the recipe ``finetune``.

:mod:`.families` lists where an architecture comes from, one file each: torchvision, timm,
transformers, the user's own function. A family gives the *body*, the network without its last
layer: images in, features out. :mod:`.weight_files` reads a user's weights into a body without
unpickling anything else; the body's state is then known by its digest
(:mod:`memtail_core.data.weights`).

Of a frozen backbone, :mod:`.extractor` computes the features of each example once, and
:mod:`.frozen` trains heads on them with the engines of ``linear`` and ``mlp``. Otherwise
:mod:`.finetuned` trains the networks with the gradient engine.
"""
