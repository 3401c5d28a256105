"""A version that its flavor loaded and that scores tables, and what shows that it is the same everywhere."""
