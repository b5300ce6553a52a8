"""Image files in folders: which files there are, which class each belongs to, and its pixels.

``tree`` lists a folder, ``formats`` says what is an image, ``layout`` gives every image its class
and its set from the folders it lies in: none of them decodes a pixel. ``decoding`` reads one file,
``grey_scale`` puts deep grey values on one scale, ``reading`` reads many files, in order and with
bounded memory.
"""
