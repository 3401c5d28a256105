"""Evidence documents: made, read back, and checked against the bytes they are about."""
