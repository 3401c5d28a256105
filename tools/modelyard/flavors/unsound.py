"""The error of a file that a library cannot safely read."""

from __future__ import annotations


class Unsound(ValueError):
    """The sentence that says what is wrong with a file."""
