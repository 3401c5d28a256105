"""Evidence documents: written, read, and checked against the artifact that they are about."""
