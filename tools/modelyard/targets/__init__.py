"""Adapters to serving platforms: one file for each, found by entry point."""
