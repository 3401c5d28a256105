"""Queries over the model registry: versions, lineage, cards, site, packages, storage and reproduction."""
