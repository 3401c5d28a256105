"""The candidate in this checkout and the champion it has to face: found, fetched, and turned into numbers."""
