"""Where secrets come from: manifests hold references, and one adapter per file reads what they point at."""
