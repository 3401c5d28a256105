"""Causes that begin, hold or are over, on every channel that modelyard.yaml names."""
