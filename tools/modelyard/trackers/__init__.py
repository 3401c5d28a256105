"""Adapters to experiment trackers, which get a copy of every proposal and version. Git has the record."""
