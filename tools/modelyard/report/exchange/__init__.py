"""A version as documents of other systems: SLSA provenance, OpenLineage, the model card of CycloneDX."""
