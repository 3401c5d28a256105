"""Labels that arrive later, from anywhere, joined to the predictions they belong to."""
