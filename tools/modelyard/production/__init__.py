"""Served versions: monitoring of windows, feedback from ground truth, and alerts."""
