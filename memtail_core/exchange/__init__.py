"""Studies in the formats of other projects: read as a bank of trials, written from a stored study.

A *bank* is trials that someone else trained: which examples each trained on, and what came of it.
:mod:`.importing` makes a study of one, :mod:`.exporting` writes a study in another format: its
trials, or what follows of each training example (:mod:`.example_list`). Each format is one file in
``formats/`` and one line in :mod:`.registry`. :mod:`.corrections` reads labels that people
corrected, and :mod:`.relabeling` makes the next study of them.
"""
