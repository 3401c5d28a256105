"""Versions, stages, history: what the tags say. Takes tags as values; talks to nobody."""
