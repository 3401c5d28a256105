"""Where versions are served: one adapter per file, found by entry point."""
