"""The model registry as values, without input or output: tags, versions, histories, lineage, search."""
