"""Forges, where pull requests are reviewed: one adapter in each file, found by entry point."""
