"""Data larger than memory: examples as records of one size, in files that are memory-mapped.

:mod:`.records` reads them, :mod:`.part_folder` keeps their files, the parts, which
:mod:`.part_writer` writes. :mod:`.writing` makes one part and :mod:`.packing` all of them, in
parallel; :mod:`.index` says what they hold and :mod:`.known` keeps what reading all of them told.
:mod:`.storage` chooses between memory and parts.
"""
