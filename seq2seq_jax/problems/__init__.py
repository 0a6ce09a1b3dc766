"""Kinds of problems behind one interface: text to text, and image to text.

`protocol` says what a problem provides. `text` implements it for texts; `captioning.problem`, which
nothing in this package imports, implements it for images.
"""
