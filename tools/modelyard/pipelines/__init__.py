"""Pipeline engines, which can run a model's stages: one exporter in each file, found by entry point."""
