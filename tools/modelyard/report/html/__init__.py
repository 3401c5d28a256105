"""Reports and the registry's site as HTML pages that open offline, with a light and a dark scheme."""
