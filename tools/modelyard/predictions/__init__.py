"""Readers of prediction logs: one adapter per file, one table."""
