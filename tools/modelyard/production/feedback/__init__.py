"""Ground truth brought back as labelled data, rows chosen for a label, ids erased."""
