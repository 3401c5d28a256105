"""A version as documents of other systems (SLSA, OpenLineage, CycloneDX …), and a document of theirs as a page."""
