"""The planner: (desired, live) → actions. Pure, so that every history can be walked in a test."""
