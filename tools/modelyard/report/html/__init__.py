"""Pages that open offline, in any browser, light and dark."""
