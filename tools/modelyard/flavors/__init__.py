"""How a model is kept: one file for each flavor, and what they share.

This room imports nothing of the other rooms. ``targets`` copies it, as it is, beside an artifact that another server
loads, so that the code that scored the held-out rows is the code that serves. See docs/decisions/flavors.md.
"""
