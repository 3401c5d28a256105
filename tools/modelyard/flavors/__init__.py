"""Flavors: one file for each library or format of models, and what they share.

This room imports no other room. ``targets`` copies it unchanged beside an artifact that another server loads, so that
the code that scored the held-out rows is the code that serves. See docs/decisions/flavors.md.
"""
