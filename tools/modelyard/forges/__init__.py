"""Where proposals are reviewed: one adapter per file, found by entry point."""
