"""What a reader asks of the registry: gathered from tags, commits and filed evidence. Reads; writes nothing."""
