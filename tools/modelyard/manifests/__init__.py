"""Files ⇄ frozen values, with errors that name file, line and field."""
