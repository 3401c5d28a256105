"""Ground truth: labels that arrive after the predictions, and their join to the prediction log."""
