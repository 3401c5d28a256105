"""A version of a model, loaded by its flavor and ready to score tables, and what shows that it is the same everywhere."""
