"""From a merged candidate to a tagged version, and from a tagged version to one that serves."""
